"""What Comlink's tests expose is JavaScript's: here it becomes Python's, exposed by farcall."""

from farcall import comlink, exposed
from js import Object
from pyodide.ffi import JsException, JsProxy, create_proxy, jsnull, to_js


def expose(value, endpoint, javascript):
    """Comlink's `expose`, by farcall."""
    world = World(javascript)
    for name, handler in javascript.handlers():
        comlink.transfer_handlers[name] = world.handler(handler)
    comlink.expose(world.served(value), endpoint)


def _exception(error):
    """Python's of a JavaScript Error: its name and message."""
    return type(error.name, (Exception,), {})(error.message)


class World:
    """Values of one window, to Python and back.

    Args:
        javascript: what comlink.mjs there knows of them.
    """

    def __init__(self, javascript):
        self._javascript = javascript

    def handler(self, handler):
        """A transfer handler that was set in JavaScript."""
        return comlink.TransferHandler(
            lambda value: isinstance(value, JsProxy) and handler.canHandle(value),
            lambda value: list(handler.serialize(value).to_py()),
            lambda data: handler.deserialize(self.to_javascript(data)),
        )

    # -- to Python

    def to_python(self, value):
        """The value itself, its copy, or what serves it."""
        if value is jsnull:
            return None
        if not isinstance(value, JsProxy):
            return value
        kind = self._javascript.kind(value)
        if kind == "promise":
            return self._later(value)
        if kind == "array":
            return [self.to_python(item) for item in value]
        if kind == "data":
            entries = self._javascript.entries(value)
            return {entry[0]: self.to_python(entry[1]) for entry in entries}
        return value if kind == "other" else self.served(value)

    async def _later(self, promise):
        try:
            return self.to_python(await promise)
        except JsException as error:
            raise _exception(error) from None

    def served(self, value):
        """A Python function, class or object that does what JavaScript's does."""
        kind = self._javascript.kind(value)
        if kind == "function":
            return lambda *values: self._call(value, None, values)
        if kind == "class":
            return self._class(value)
        return self._object(value)

    def _call(self, owner, name, values):
        given = to_js([self.to_javascript(value) for value in values], depth=1)
        threw, is_error, result = self._javascript.call(owner, name, given)
        if not threw:
            return self.to_python(result)
        if is_error:
            raise _exception(result)
        raise comlink.Thrown(self.to_python(result))

    def _object(self, value):
        members = {name: self._member(name) for name in self._javascript.names(value)}
        finalizer = self._javascript.finalizer(value)
        if finalizer is not None:
            members["__finalizer__"] = lambda served: finalizer()
        made = exposed(writable=tuple(members))(type("Object", (), members))()
        made.javascript = value
        return made

    def _class(self, value):
        world = self

        def construct(self, *values):
            given = [world.to_javascript(v) for v in values]
            self.javascript = world._javascript.construct(value, to_js(given, depth=1))

        prototype = self._javascript.names(value.prototype)
        members = {name: self._member(name) for name in prototype}
        for name in self._javascript.statics(value):
            found = self._javascript.get(value, name)
            members[name] = found
            if isinstance(found, JsProxy):
                members[name] = staticmethod(self._method(value, name))
        members["__init__"] = construct
        return exposed(writable=tuple(prototype))(type(value.name, (), members))

    def _method(self, owner, name):
        return lambda *values: self._call(owner, name, values)

    def _member(self, name):
        """A property that reads and sets the object's own; a method is a function with `this`."""

        def get(served):
            found = self._javascript.get(served.javascript, name)
            if isinstance(found, JsProxy) and self._javascript.kind(found) == "function":
                return self._method(served.javascript, name)
            return self.to_python(found)

        def set(served, value):
            self._javascript.set(served.javascript, name, self.to_javascript(value))

        return property(get, set)

    # -- to JavaScript

    def to_javascript(self, value):
        """The value itself, its copy, or a function that asks the proxy."""
        if isinstance(value, JsProxy):
            return value
        if type(value).__name__ == "Remote":
            return self._javascript.remote(create_proxy(self._caller(value)))
        return to_js(value, dict_converter=Object.fromEntries)

    def _caller(self, proxy):
        async def call(path, values):
            target = proxy
            for name in path:
                target = getattr(target, name)
            return self.to_javascript(await target(*[self.to_python(v) for v in values]))

        return call
