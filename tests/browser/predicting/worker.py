import farcall  # first: its listener must be there before the page knocks
import nn
from nn.io.fetch import fetch

farcall.serve({"nn": nn, "fetch": fetch})
