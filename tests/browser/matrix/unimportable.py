"""A worker whose import fails."""

import farcall
import there_is_no_such_module

farcall.serve({"module": there_is_no_such_module})
