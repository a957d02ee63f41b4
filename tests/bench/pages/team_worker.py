import farcall  # first: its listener must be there before the page knocks
import nn

from tests.bench.peers import team

farcall.serve({"nn": nn, "bench": team})
