"""What counts as nothing, as fitting and as equal. Each with its unit and its reason.

The contract allows 1e-6 minutes and 1e-6 of the money. What makes plans keeps well within that, so that the judge,
which adds up in another order, agrees. Stopping rules of a search are not here: they stand beside the search.
"""

FITS_MINUTES = 1e-6  # the contract's: work may pass a limit by so much; less work than this is none
MONEY_SHARE = 1e-6  # the contract's: costs nearer to each other, as a share of the larger, are equal
WHOLE_PIECES = 1e-6  # what HiGHS calls a whole number is as near to one as this; fewer pieces are none
ROOM_MINUTES = 1e-7  # added before pieces are rounded down: 480 / 4.8 is 99.99999999. Below what the contract allows
DUST_MINUTES = 1e-9  # what adding and taking off in floating point leaves behind
ROUND_OFF_SHARE = 1e-9  # the same in money: recomputing the cost of a proven optimum may add so much to its gap
