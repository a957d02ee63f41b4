"""Teams: workers with direct ports to each other, that work on one thing together.

team       `Team`: starts the workers and connects them, on the page
member     `Member`: a worker's place in a team, and the group that training knows
roster     who takes part, and who is lost
reduction  sums of arrays over all members
line       how a member reaches another: ports and shared memory below Python, or calls
"""
