"""What each RPC behaviour promises: name of a case to the sections and texts of docs/promises.md.

The cases themselves run on MicroPython too, which has no pytest, so they carry no marker.
"""

PROMISES: dict[str, list[tuple[str, str]]] = {
    "a_broadcast_channel_carries_calls_and_arrays": [
        (
            "farcall: features",
            "BroadcastChannel",
        ),
    ],
    "a_call_that_was_not_awaited_may_be_anywhere": [
        (
            "farcall: features",
            "A call or path that was not awaited, anywhere a value may be",
        ),
    ],
    "a_container_that_holds_itself_arrives_so": [
        (
            "farcall: features",
            "Containers that hold themselves, any depth",
        ),
    ],
    "a_dropped_stream_ends_the_generator_there": [
        (
            "farcall: nothing leaks",
            "Leaving a stream's loop, or dropping the stream, ends the generator there",
        ),
        (
            "farcall: features",
            "Leaving the loop ends the producer",
        ),
    ],
    "a_frame_is_called_and_calls_back": [
        (
            "farcall: features",
            "iframe and window, origin and source checked",
        ),
    ],
    "a_frame_of_another_origin_is_not_heard": [
        (
            "farcall: features",
            "iframe and window, origin and source checked",
        ),
    ],
    "a_frame_that_is_removed_says_so": [
        (
            "farcall: every await ends",
            "The page on the other side goes (closed, reloaded, frame removed): SessionClosedError",
        ),
        (
            "farcall: features",
            "A page that goes ends its sessions elsewhere: in a SharedWorker, a window, a "
            "frame's parent",
        ),
    ],
    "a_generator_is_driven_in_lock_step": [
        (
            "farcall: features",
            "asend, athrow, aclose",
        ),
    ],
    "a_generator_streams_every_item_in_order": [
        (
            "farcall: order and delivery",
            "Items of a stream come in order, an exception after its items",
        ),
        (
            "farcall: features",
            "async for",
        ),
    ],
    "a_handler_that_fails_ends_only_the_call_it_was_for": [
        (
            "farcall: features",
            "A handler that fails: its error, to the caller only",
        ),
    ],
    "a_handler_that_must_be_awaited_converts_at_any_depth_in_order": [
        (
            "farcall: features",
            "Custom handlers, any depth, awaited where they must be",
        ),
    ],
    "a_list_goes_by_reference_on_request_and_is_copied_on_request": [
        (
            "farcall: features",
            "Objects by reference, by value on request",
        ),
    ],
    "a_value_that_went_by_reference_is_copied_on_request": [
        (
            "farcall: features",
            "Objects by reference, by value on request",
        ),
    ],
    "no_item_of_an_iterator_is_taken_ahead": [
        (
            "farcall: features",
            "Of an iterator, as a file, no item is taken ahead",
        ),
    ],
    "a_local_coroutine_function_is_awaited": [
        (
            "farcall: features",
            "Callbacks, sync and async, nested in containers",
        ),
    ],
    "a_local_function_is_called_with_arguments_and_gives_its_result": [
        (
            "farcall: features",
            "Callbacks, sync and async, nested in containers",
        ),
    ],
    "a_local_iterable_streams_to_the_far_side": [
        (
            "farcall: features",
            "Streams both ways",
        ),
    ],
    "a_mistyped_name_is_refused_with_the_nearest_one": [
        (
            "farcall: features",
            'Early AttributeError, "did you mean"',
        ),
    ],
    "a_one_way_call_has_no_reply": [
        (
            "farcall: features",
            "One-way calls",
        ),
    ],
    "a_path_is_an_argument_without_a_round_trip_of_its_own": [
        (
            "farcall: features",
            "Pipelining: targets, arguments, paths",
        ),
    ],
    "a_pool_maps_in_order_and_replaces_the_dead": [
        (
            "farcall: every await ends",
            "A worker of a pool ends, or its session does: the error of what it was at; it is "
            "replaced",
        ),
        (
            "farcall: features",
            "Pool: map, imap, affinity, replaces the dead",
        ),
    ],
    "a_proxy_sent_home_is_the_original": [
        (
            "farcall: features",
            "A proxy sent home is the original",
        ),
    ],
    "a_registered_class_crosses_by_value": [
        (
            "farcall: features",
            "Registered classes by value, any depth",
        ),
    ],
    "a_released_proxy_says_so": [
        (
            "farcall: every await ends",
            "A proxy was released: ReleasedError",
        ),
        (
            "farcall: features",
            "Release, idempotent; by async with",
        ),
    ],
    "a_remote_context_manager_is_entered_and_left": [
        (
            "farcall: features",
            "async with",
        ),
    ],
    "a_shared_worker_forgets_a_page_that_is_gone": [
        (
            "farcall: every await ends",
            "The page on the other side goes (closed, reloaded, frame removed): SessionClosedError",
        ),
        (
            "farcall: features",
            "A page that goes ends its sessions elsewhere: in a SharedWorker, a window, a "
            "frame's parent",
        ),
    ],
    "a_shared_worker_serves_every_page_that_connects": [
        (
            "farcall: features",
            "SharedWorker",
        ),
    ],
    "a_time_out_raises_and_cancels_the_remote_work": [
        (
            "farcall: every await ends",
            "The peer never answers: TimeoutError if a time-out was set, and the work there"
            " is cancelled",
        ),
        (
            "farcall: features",
            "Time-outs: TimeoutError, remote work cancelled",
        ),
    ],
    "a_trace_shows_every_call": [
        (
            "farcall: features",
            "Tracing, Chrome trace, slow calls",
        ),
    ],
    "a_transferred_array_is_gone_here": [
        (
            "farcall: features",
            "transfer, and use after it",
        ),
    ],
    "a_value_of_javascript_arrives_as_what_it_is": [
        (
            "farcall: features",
            "JavaScript's File, Blob, ImageBitmap, stream, Map, Date as what they are",
        ),
    ],
    "a_worker_notices_that_the_worker_it_calls_is_gone": [
        (
            "farcall: every await ends",
            "The worker at the other end of a direct port dies: WorkerDiedError, where "
            "there are Web Locks (https, localhost); elsewhere give calls a timeout",
        ),
        (
            "farcall: features",
            "Over a direct port the death of either worker is noticed (Web Locks)",
        ),
    ],
    "a_worker_notices_that_the_worker_that_calls_it_is_gone": [
        (
            "farcall: every await ends",
            "The worker at the other end of a direct port dies: WorkerDiedError, where "
            "there are Web Locks (https, localhost); elsewhere give calls a timeout",
        ),
        (
            "farcall: features",
            "Over a direct port the death of either worker is noticed (Web Locks)",
        ),
    ],
    "a_worker_restarts_with_its_state": [
        (
            "farcall: features",
            "Restart with state, restart policy",
        ),
    ],
    "a_worker_that_died_starts_again": [
        (
            "farcall: features",
            "Restart with state, restart policy",
        ),
        (
            "farcall: order and delivery",
            "After a worker died nothing is sent again",
        ),
    ],
    "an_answered_call_can_still_be_a_target": [
        (
            "farcall: features",
            "Pipelining: targets, arguments, paths",
        ),
    ],
    "an_argument_that_cannot_cross_is_refused_here_and_leaves_nothing": [
        (
            "farcall: every await ends",
            "An argument cannot cross: TypeError where it is passed; nothing is left",
        ),
        (
            "farcall: features",
            "What cannot cross is refused before it is sent",
        ),
    ],
    "an_array_arrives_with_dtype_and_shape": [
        (
            "farcall: features",
            "Arrays: dtype, shape, order; bytes",
        ),
    ],
    "an_attribute_is_set_and_deleted_where_the_class_allows": [
        (
            "farcall: features",
            "Attributes set and deleted where allowed",
        ),
    ],
    "an_exception_group_arrives_with_its_exceptions": [
        (
            "farcall: features",
            "ExceptionGroup with its exceptions, their tracebacks and notes",
        ),
    ],
    "an_exception_in_a_callback_travels_to_the_caller_and_back": [
        (
            "farcall: every await ends",
            "A callback raises: its exception, through the caller, and back",
        ),
    ],
    "an_exception_in_a_generator_comes_after_its_items": [
        (
            "farcall: order and delivery",
            "Items of a stream come in order, an exception after its items",
        ),
        (
            "farcall: features",
            "A failing generator",
        ),
    ],
    "an_exception_keeps_type_arguments_and_traceback": [
        (
            "farcall: features",
            "Exceptions: type, args, remote traceback",
        ),
    ],
    "an_object_with_a_turnstile_runs_one_call_at_a_time": [
        (
            "farcall: order and delivery",
            "An object with `concurrency=1` runs one call at a time",
        ),
        (
            "farcall: features",
            "Concurrency and queue limit of an object",
        ),
    ],
    "an_unawaited_call_is_a_target_in_the_same_message": [
        (
            "farcall: order and delivery",
            "A result can be used before it has arrived, as target or argument of later calls",
        ),
        (
            "farcall: features",
            "Pipelining: targets, arguments, paths",
        ),
    ],
    "an_unawaited_call_is_an_argument_at_any_depth": [
        (
            "farcall: order and delivery",
            "A result can be used before it has arrived, as target or argument of later calls",
        ),
        (
            "farcall: features",
            "Pipelining: targets, arguments, paths",
        ),
    ],
    "an_unknown_exception_is_its_nearest_known_base": [
        (
            "farcall: features",
            "Unknown exceptions: RemoteError and nearest base",
        ),
    ],
    "asyncio_s_own_gather_and_wait_for_take_calls": [
        (
            "farcall: features",
            "asyncio's own wait_for, gather, timeout",
        ),
    ],
    "bytes_arrive_equal": [
        (
            "farcall: features",
            "Arrays: dtype, shape, order; bytes",
        ),
    ],
    "callbacks_have_run_before_the_result_that_follows_them": [
        (
            "farcall: order and delivery",
            "A callback has run before the result that follows it is seen",
        ),
        (
            "farcall: features",
            "Order: calls, and callbacks before the result",
        ),
    ],
    "calls_of_one_turn_travel_in_one_message": [
        (
            "farcall: order and delivery",
            "A call is sent when it is made, not when it is awaited, and calls of one turn "
            "travel in one message",
        ),
        (
            "farcall: features",
            "One message a turn",
        ),
    ],
    "calls_with_positional_and_keyword_arguments": [
        (
            "farcall: features",
            "Calls with args and kwargs",
        ),
    ],
    "cancelling_the_far_caller_cancels_the_local_coroutine": [
        (
            "farcall: features",
            "Cancellation of callbacks by the far caller",
        ),
    ],
    "cancelling_the_task_cancels_the_remote_coroutine": [
        (
            "farcall: every await ends",
            "The awaiting task is cancelled: CancelledError here, and the coroutine there "
            "is cancelled",
        ),
        (
            "farcall: features",
            "Cancellation, caller to callee",
        ),
    ],
    "constructs_a_remote_class_and_keeps_its_state": [
        (
            "farcall: features",
            "Remote construction, objects with state",
        ),
    ],
    "instances_that_point_at_each_other_arrive_so": [
        (
            "farcall: features",
            "Registered classes by value, any depth",
        ),
    ],
    "items_and_slices_are_read_set_and_deleted": [
        (
            "farcall: features",
            "Items, slices, tuple keys; set and deleted",
        ),
    ],
    "leaving_async_with_releases_an_object_that_is_no_context_manager": [
        (
            "farcall: features",
            "Release, idempotent; by async with",
        ),
    ],
    "leaving_the_loop_ends_the_generator_there": [
        (
            "farcall: nothing leaks",
            "Leaving a stream's loop, or dropping the stream, ends the generator there",
        ),
        (
            "farcall: features",
            "Leaving the loop ends the producer",
        ),
    ],
    "names_and_docs_are_known_from_the_handshake": [
        (
            "farcall: features",
            "dir(), docs",
        ),
    ],
    "nesting_a_thousand_deep_arrives": [
        (
            "farcall: features",
            "Containers that hold themselves, any depth",
        ),
    ],
    "operators_and_conversions_have_awaitable_forms": [
        (
            "farcall: features",
            "len, contains, operators, conversions",
        ),
    ],
    "private_names_and_modules_are_refused": [
        (
            "farcall: features",
            "Default deny, private names, modules",
        ),
        (
            "farcall: every await ends",
            "A result that cannot cross: its TypeError or PolicyError, to the caller",
        ),
    ],
    "protocols_that_cannot_wait_say_what_to_write": [
        (
            "farcall: features",
            "`len(obj)`, `bool(obj)`, `in` say what to write",
        ),
    ],
    "python_that_never_gives_way_is_killed": [
        (
            "farcall: features",
            "Python that never gives way: kill and restart",
        ),
    ],
    "reads_a_path_of_attributes_and_items_in_one_round_trip": [
        (
            "farcall: features",
            "Attributes, deep paths, items: one round trip",
        ),
    ],
    "the_cause_and_the_notes_of_an_exception_arrive": [
        (
            "farcall: features",
            "`__cause__` and notes",
        ),
    ],
    "the_error_of_a_call_reaches_the_calls_built_on_it": [
        (
            "farcall: features",
            "An error reaches what was built on it",
        ),
    ],
    "the_error_of_a_plain_assignment_is_not_lost": [
        (
            "farcall: features",
            "The error of `obj.x = value` is never lost",
        ),
    ],
    "the_memory_of_an_array_is_reused_by_later_ones": [
        (
            "farcall: features",
            "Memory of received arrays goes back to the sender and is reused",
        ),
    ],
    "the_same_object_is_the_same_proxy": [
        (
            "farcall: features",
            "The same object is the same proxy",
        ),
    ],
    "tracebacks_stay_behind_a_boundary": [
        (
            "farcall: tracebacks and boundaries",
            "Tracebacks and causes of exceptions go to a worker or over a MessagePort, and "
            "stay here at a boundary",
        ),
    ],
    "two_workers_talk_over_a_port_of_their_own": [
        (
            "farcall: features",
            "Direct ports between workers",
        ),
    ],
    "values_of_every_plain_type_arrive_equal": [
        (
            "farcall: features",
            "Plain values equal in value and type",
        ),
    ],
    "two_tasks_share_the_items_of_a_stream": [
        (
            "farcall: every await ends",
            "Two tasks take items from one stream: each item goes to one of them",
        )
    ],
    "a_stream_that_is_closed_ends_the_task_that_waits_for_it": [
        (
            "farcall: every await ends",
            "A stream is closed while a task waits for an item: the loop ends; "
            "ReleasedError if it is released",
        )
    ],
    "a_coroutine_is_awaited_before_it_is_sent": [
        (
            "farcall: every await ends",
            "A coroutine, task or future is an argument: TypeError where it is passed; on "
            "MicroPython, where it may be a generator, the other side "
            "awaits it",
        )
    ],
    "what_the_browser_refuses_to_send_costs_one_call": [
        (
            "farcall: every await ends",
            "The browser refuses to send a value: TypeError of that call or stream; "
            "the others of the message go on",
        )
    ],
    "values_of_the_standard_library_go_and_come_back_as_what_they_are": [
        (
            "farcall: features",
            "The standard library's value types by value, with their type",
        ),
    ],
}
