"""The gateway: lets nodes through to the Fleet API of a SuperLink, and to nothing else of it.

A SuperLink serves its Control and Runtime API, which start programs, at the port of the Fleet API,
without asking who calls. So its port stays closed, and this one is open: the ten calls of a node,
from pages of listed origins, within limits, replies only when complete.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from federation import wire
from federation.fleet import PATH, TOKEN, carried
from federation.mailbox import each
from federation.server.deliveries import Deliveries
from federation.server.limits import BODIES, Bucket, Limits
from federation.server.replies import Refusal, Replies, Reply, decoded

__all__ = ["Gateway"]

KEY = "flwr-public-key"
FORWARDED = ("content-type", KEY, "flwr-timestamp", "flwr-signature")
JOINING = ("register-node", "activate-node")
SECONDS = 60.0  # for an answer of the SuperLink
NOTHING = "0" * 64  # no object has this id
LOG = logging.getLogger(__name__)


class Gateway:
    """One of as many as needed: it keeps nothing but messages and replies on their way.

    Args:
        superlink: address, such as "http://127.0.0.1:8000".
        origins: of pages that may call, such as "https://example.org". Programs send none.
        token: what nodes must send to join; "" for none.
        limits: of requests and replies.

    Raises:
        ValueError: no header carries the token.
    """

    def __init__(
        self, superlink: str, origins: list[str], token: str = "", limits: Limits | None = None
    ) -> None:
        self._origins, self._token = frozenset(origins), carried(token)
        self._limits = limits or Limits()
        self.replies, self.deliveries = Replies(self._limits), Deliveries()
        self._registrations = Bucket(self._limits.rate)
        many = httpx.Limits(
            max_connections=200, max_keepalive_connections=200, keepalive_expiry=2.0
        )  # the SuperLink closes a connection that was silent for 5 s, and what comes then is lost
        self._superlink = httpx.AsyncClient(base_url=superlink, timeout=SECONDS, limits=many)

    def application(self, folder: Path | None = None) -> Starlette:
        """Return the ASGI application; it serves the files of a folder too, if one is given."""

        @asynccontextmanager
        async def lifespan(application: Starlette) -> AsyncIterator[None]:
            async with self._superlink:
                yield

        routes: list[BaseRoute] = [
            Route(PATH + "{call}", self.answer, methods=["POST", "OPTIONS"]),
            Route("/v1/{rest:path}", _nothing),
        ]
        if folder is not None:
            routes.append(Mount("/", _Files(directory=folder, html=True)))
        application = Starlette(routes=routes, lifespan=lifespan)
        application.router.redirect_slashes = False
        return application

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            return _refused(Refusal(403, f"pages of {origin} may not call"))
        if request.method == "OPTIONS":
            answer = Response(status_code=204)
            answer.headers["access-control-allow-methods"] = "POST"
            answer.headers["access-control-allow-headers"] = ", ".join((*FORWARDED, TOKEN))
            answer.headers["access-control-max-age"] = "7200"
        else:
            try:
                answer = await self._call(request)
            except Refusal as refusal:
                answer = _refused(refusal)
        if origin is not None:
            answer.headers["access-control-allow-origin"] = origin
            answer.headers["access-control-expose-headers"] = "date"
            answer.headers["vary"] = "origin"
        return answer

    async def _call(self, request: Request) -> Response:
        call = request.path_params["call"]
        if call not in BODIES:
            raise Refusal(404, "no such call")
        body = await self._body(request, BODIES[call])
        if call in JOINING:
            self._admit(call, request)
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        if call == "deactivate-node" and headers.get("content-type", "").startswith("text/plain"):
            body, headers = _goodbye(body)
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Refusal(400, "expected headers of printable ASCII")
        if call == "push-messages":
            return await self._announced(body, headers)
        if call == "push-object":
            return await self._came(body, headers)
        answer = await self._forwarded(call, body, headers)
        return self._passed(call, body, headers.get(KEY, ""), answer)

    def _passed(self, call: str, body: bytes, key: str, answer: Response) -> Response:
        """Return what the node gets for the SuperLink's answer to a call."""
        if call == "confirm-message-received" and answer.status_code != 401:
            confirmed = decoded("ConfirmMessageReceivedRequest", body)
            self.deliveries.arrived(key, confirmed["message_object_id"])
        if call == "pull-messages" and answer.status_code == 200:
            found = self.deliveries.out(key, bytes(answer.body))
            return Response(found, media_type="application/protobuf")
        if call == "get-run" and answer.status_code == 200:  # its settings, and not whose it is
            return _message("GetRunResponse", **wire.decode("GetRunResponse", bytes(answer.body)))
        if call == "deactivate-node" and answer.status_code == 412:
            # It has left: a closed page says goodbye twice, and one that comes back would have an
            # error in its console.
            return _message("DeactivateNodeResponse")
        return answer

    async def _body(self, request: Request, most: int) -> bytes:
        length = request.headers.get("content-length", "")
        # Where both headers come, the length is not the one that counts.
        if not length.isdigit() or "transfer-encoding" in request.headers:
            raise Refusal(411, "expected the length of the body")
        if int(length) > most:
            raise Refusal(413, f"at most {most} bytes")
        try:
            return await asyncio.wait_for(request.body(), self._limits.seconds)
        except (ClientDisconnect, TimeoutError):
            raise Refusal(408, "the request did not arrive") from None

    def _admit(self, call: str, request: Request) -> None:
        given = request.headers.get(TOKEN, "").encode()
        if self._token and not secrets.compare_digest(given, self._token.encode()):
            raise Refusal(403, "expected this federation's token to join")
        address = request.client.host if request.client else ""
        if call == "register-node" and not self._registrations.take(address):
            raise Refusal(429, "too many registrations from this address")

    async def _announced(self, body: bytes, headers: dict[str, str]) -> Response:
        key = headers.get(KEY, "")
        session, wanted = self.replies.announce(key, body)
        pushed = wire.decode("PushMessagesRequest", body)
        metadata = pushed["messages_list"][0]["metadata"]
        asked = {"node": pushed["node"], "run_id": metadata["run_id"], "object_id": NOTHING}
        # The SuperLink says who this is before anything is kept for it.
        known = await self._forwarded(
            "pull-object", wire.encode("PullObjectRequest", asked), headers, lost=session
        )
        if known.status_code != 401:
            self.deliveries.arrived(key, metadata["reply_to_message_id"])
        if known.status_code != 200:
            self.replies.drop(session)
            return known
        self.replies.confirm(session)
        return _message("PushMessagesResponse", objects_to_push=wanted, session_id=session)

    async def _came(self, body: bytes, headers: dict[str, str]) -> Response:
        pushed = decoded("PushObjectRequest", body)
        reply = self.replies.come(headers.get(KEY, ""), pushed)
        if reply is None or not reply.complete:
            return _message("PushObjectResponse", stored=reply is not None)
        session = pushed["session_id"]
        if reply.delivery is None:
            try:
                reply.check(self._limits)
            except Refusal:
                self.replies.drop(session)
                raise
            reply.delivery = asyncio.create_task(self._delivered(reply, pushed, headers))
        try:  # who waited in vain for the answer, and sends again, waits for the same
            answer: Response = await asyncio.shield(reply.delivery)
        except Refusal:  # no answer: then the client sends its last object again
            reply.delivery = None
            raise
        if answer.status_code == 503:
            reply.delivery = None
        else:
            self.replies.drop(session)
        return answer

    async def _delivered(
        self, reply: Reply, pushed: dict[str, Any], headers: dict[str, str]
    ) -> Response:
        answer = await self._forwarded("push-messages", reply.body, headers)
        if answer.status_code != 200:
            return answer
        there = wire.decode("PushMessagesResponse", answer.body)
        refused: list[Response] = []

        async def push(identifier: str) -> None:
            if refused:
                return
            fields = pushed | {
                "object_id": identifier,
                "object_content": reply.parts[identifier],
                "session_id": there["session_id"],
            }
            body = wire.encode("PushObjectRequest", fields)
            answer = await self._forwarded("push-object", body, headers)
            if answer.status_code != 200:
                refused.append(answer)

        await each(push, there["objects_to_push"])
        return refused[0] if refused else _message("PushObjectResponse", stored=True)

    async def _forwarded(
        self, call: str, body: bytes, headers: dict[str, str], lost: str = ""
    ) -> Response:
        try:
            answer = await self._superlink.post(PATH + call, content=body, headers=headers)
        except httpx.HTTPError as error:
            self.replies.drop(lost)
            reason = f"no answer of the SuperLink: {type(error).__name__}"
            LOG.warning("%s: %s %s", call, reason, error)
            raise Refusal(503, reason) from error
        kept = {name: answer.headers[name] for name in ("date",) if name in answer.headers}
        kind = answer.headers.get("content-type")
        return Response(answer.content, answer.status_code, kept, kind)


class _Files(StaticFiles):
    """Files but for those whose path has a name with a dot in front, such as .git."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if any(part.startswith(".") for part in Path(path).parts):
            return "", None
        return super().lookup_path(path)


async def _nothing(request: Request) -> Response:
    return _refused(Refusal(404, "no such call"))


def _goodbye(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the call that a closed page sends as a beacon: a text, which has
    no headers of the page's.
    """
    try:
        said = json.loads(body)
        return b64decode(said["body"]), {name: str(said["headers"][name]) for name in FORWARDED}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(400, "expected a goodbye with its headers") from None


def _message(kind: str, **fields: Any) -> Response:
    return Response(wire.encode(kind, fields), media_type="application/protobuf")


def _refused(refusal: Refusal) -> Response:
    return JSONResponse({"detail": f"gateway: {refusal.reason}"}, refusal.status)
