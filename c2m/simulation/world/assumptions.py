"""The numbers behind the demo world: measured on public data (source beside each) or assumed (said so).

`benchmarks/worlds/calibrate.py` measures every one marked "measured" again; docs/demo-world.md lists them all.
"""

from dataclasses import dataclass

# --- Shoppers. Measured on amazon_india_apparel (91 days, 128,975 order lines); 2022-03-31, a partial day, left out.

WEEKDAY = (0.996, 1.013, 0.996, 0.983, 0.949, 1.001, 1.059)  # pieces a day over their mean, Monday first
STYLE_RATE_LOG_SD = 1.30  # of a log-normal; with drift and life cycle the best tenth makes the measured 54.8 %
DISPERSION_DAY = 14.2  # k of the negative binomial, from differences between neighbouring days
DISPERSION_ALL = 1.97  # k over the whole history: slow drift of a style's rate on top of the daily noise
SIZES = ("XS", "S", "M", "L", "XL", "XXL", "3XL")
SIZE_CURVE = (0.085, 0.131, 0.175, 0.171, 0.162, 0.142, 0.116)  # shares of pieces; other sizes make 1.8 %
SIZE_CONCENTRATION = 39.8  # Dirichlet: spread of a style's size shares around the curve
PRICE_LOG_SD = 0.302  # of styles' prices within a category
CANCELLED_SHARE = 0.142  # of order lines
CANCELLED_WITHOUT_AMOUNT = 0.413  # of cancelled lines
RETURNED_SHARE = 0.068  # of lines whose delivery or return is known
SEVERAL_PIECES_SHARE = 0.0033  # of lines
BUSINESS_CUSTOMER_SHARE = 0.0068  # of lines

# Measured on visuelle (new styles): sales in week 1..12 after release over their mean.
LIFE_CYCLE = (0.343, 1.177, 1.342, 1.293, 1.250, 1.224, 1.159, 1.063, 0.958, 0.854, 0.713, 0.625)

RATING_SHARE = (0.036, 0.067, 0.122, 0.216, 0.559)  # 1 to 5 stars, measured on womens_reviews

# Assumed: the public data says nothing on them.
NEW_STYLE_SHARE = 0.35  # styles with a release and a life cycle; the rest sell all year
DRIFT_SHARE = 0.6  # of that dispersion; promotions, livestreams and life cycles make the rest
DRIFT_MEMORY = 0.97  # day-to-day correlation of a style's slow drift
PROMOTION_EVERY_DAYS = 45.0
PROMOTION_DEPTHS = (0.10, 0.15, 0.20, 0.30)
PROMOTION_ELASTICITY = 2.2  # demand x exp(elasticity x depth)
PROMOTION_KNOWN_DAYS = 10
LIVESTREAM_WEEKDAYS = (1, 3, 5)
LIVESTREAM_MINUTES = (20, 30, 45, 60)
LIVESTREAM_UPLIFT_PER_MINUTE = 0.1  # demand x (1 + this x minutes); half of it the next day
LIVESTREAM_KNOWN_DAYS = 7
SHOPPING_DAYS = ((6, 18), (11, 11))  # (month, day): everything 20 % off on the day and the two before
REVIEW_SHARE = 0.02  # of delivered lines
SMALL_CUFF_EVERY = 7  # every seventh style runs small at the cuff
SMALL_CUFF_SHARE = 0.14  # of its reviews say so
SMALL_CUFF_STARS = 2  # fewer in those
ATTRIBUTES = {
    "cuff": ("plain", "wide", "ribbed", "buttoned"),
    "neckline": ("round", "v-neck", "collar"),
    "fabric": ("cotton", "linen", "jersey", "viscose", "denim"),
}  # of styles, by their number
RISING = ("cuff", "wide")  # what livestreams have taken up ...
RISING_DAYS = 28  # ... so many days before the business date: since then
RISING_SHARE = 0.35  # of its other lines come through them too; how many there are in all stays

# --- Styles. Price over the median of all (measured on amazon_india_apparel where it has the category), standard
# minutes to sew inside the range of garment_productivity (10 to 55, quartiles 18.8, 22.5, 28.1).


@dataclass(frozen=True)
class Category:
    """One kind of garment; share, season and crafts are assumed."""

    name: str
    share: float  # of styles
    price_ratio: float
    sew_minutes: float
    season_swing: float  # demand moves by this share around its mean over the year
    season_peak_day: int  # day of the year
    crafts: tuple[str, ...]


CATEGORIES = (
    Category("tee", 0.20, 0.86, 11.5, 0.35, 190, ("knit", "knit;print")),
    Category("shirt", 0.17, 0.88, 22.5, 0.10, 120, ("", "print", "embroidery")),
    Category("kurta", 0.16, 0.71, 19.9, 0.15, 280, ("", "print", "embroidery")),
    Category("dress", 0.17, 1.20, 26.0, 0.30, 170, ("", "print", "embroidery;print")),
    Category("set", 0.12, 1.28, 30.1, 0.20, 290, ("print", "embroidery")),
    Category("trousers", 0.10, 0.56, 18.8, 0.10, 300, ("", "wash")),
    Category("jacket", 0.08, 1.70, 45.0, 0.50, 330, ("", "wash")),  # not in the Amazon data: assumed ratio
)
FINISH_MINUTES = (2.9, 5.1)  # measured: SMV of the finishing teams of garment_productivity
CUT_MINUTES, INSPECT_MINUTES, PACK_MINUTES = (1.2, 2.8), (0.8, 1.6), (0.6, 1.2)  # assumed
MEDIAN_PRICE = 18.0  # USD, assumed
COST_SHARE = (0.38, 0.52)  # of the price, assumed
COLOURS = ("black", "white", "navy", "sand", "olive", "rose", "sky", "wine")

# --- Factories. Sewing teams of garment_productivity.
EFFICIENCY_MEAN = 0.722  # measured: standard minutes earned per paid minute
EFFICIENCY_SD = 0.055  # measured: between the means of the 12 teams
EFFICIENCY_SKILL_SD = 0.05  # assumed: between the categories of one factory; daily noise (0.146) is the simulator's
OVERTIME_MINUTES_PER_OPERATOR = 120.0  # measured: median of a team-day
SHIFT_MINUTES = (480.0, 540.0)  # assumed
OPERATORS_PER_LINE = (9, 12)  # assumed: small-batch workshops; the measured teams have 52
LINE_SHARE = (0.35, 0.65)  # assumed: 1 or 2 lines
CONVERSION_SHARE = 0.16  # of the price, assumed: what the sewing of a piece costs
MIN_LOTS = (50, 100, 200, 300)  # assumed, with their shares
MIN_LOT_SHARE = (0.35, 0.40, 0.15, 0.10)
HTTP_EVERY = 6  # every sixth factory takes job orders over HTTP
PAUSED_EVERY = 20
CERTIFICATES, CERTIFIED_SHARE = ("iso-9001", "oeko-tex-100", "sa8000"), 0.4
GENERALIST_EVERY = 5  # every fifth factory has all skills
HOME_SHARE = 0.66  # of factories in the home country, at least: China's share of all clusters below
SKILL_SHARE = 0.62  # chance of each skill for the others


@dataclass(frozen=True)
class Cluster:
    """A centre of real apparel factories. Share: of the 1,515 places of apparel_factory_locations in the country, split
    over its clusters by the places near each. Wage: level over China's, assumed. Days off: 0 = Monday."""

    country: str
    latitude: float
    longitude: float
    timezone: str
    share: float
    wage: float
    days_off: tuple[int, ...]
    holidays: tuple[tuple[int, int], ...]  # (month, day); moving feasts are left out


_CN = ("Asia/Shanghai", (6,), ((1, 1), (4, 5), (5, 1), (5, 2), (5, 3), (10, 1), (10, 2), (10, 3), (10, 4), (10, 5)))
_VN = ("Asia/Ho_Chi_Minh", (6,), ((1, 1), (4, 30), (5, 1), (9, 2)))
_IN = ("Asia/Kolkata", (6,), ((1, 26), (5, 1), (8, 15), (10, 2)))


def _cluster(
    country: str,
    place: tuple[float, float],
    share: float,
    wage: float,
    rules: tuple[str, tuple[int, ...], tuple[tuple[int, int], ...]],
) -> Cluster:
    return Cluster(country, *place, rules[0], share, wage, rules[1], rules[2])


CLUSTERS = (
    _cluster("CN", (23.1, 113.6), 0.119, 1.0, _CN),
    _cluster("CN", (31.2, 121.0), 0.250, 1.0, _CN),
    _cluster("CN", (29.4, 120.6), 0.092, 1.0, _CN),
    _cluster("CN", (25.0, 118.9), 0.052, 0.95, _CN),
    _cluster("VN", (10.9, 106.7), 0.057, 0.8, _VN),
    _cluster("VN", (20.8, 106.1), 0.039, 0.8, _VN),
    _cluster("BD", (23.9, 90.4), 0.040, 0.7, ("Asia/Dhaka", (4,), ((2, 21), (3, 26), (4, 14), (5, 1), (12, 16)))),
    _cluster("IN", (12.9, 79.9), 0.017, 0.75, _IN),
    _cluster("IN", (11.1, 77.3), 0.009, 0.75, _IN),
    _cluster("IN", (28.2, 77.4), 0.012, 0.75, _IN),
    _cluster("ID", (-6.6, 107.6), 0.036, 0.8, ("Asia/Jakarta", (6,), ((1, 1), (5, 1), (6, 1), (8, 17), (12, 25)))),
    _cluster("PK", (31.6, 74.3), 0.017, 0.72, ("Asia/Karachi", (6,), ((2, 5), (3, 23), (5, 1), (8, 14), (12, 25)))),
    _cluster("KH", (11.6, 104.9), 0.015, 0.75, ("Asia/Phnom_Penh", (6,), ((1, 7), (5, 1), (9, 24), (11, 9)))),
    _cluster("LK", (6.9, 79.9), 0.015, 0.8, ("Asia/Colombo", (5, 6), ((2, 4), (4, 13), (4, 14), (5, 1), (12, 25)))),
    _cluster("TR", (41.0, 28.9), 0.005, 1.3, ("Europe/Istanbul", (5, 6), ((1, 1), (4, 23), (5, 1), (5, 19), (8, 30)))),
)

# --- Merchants' production orders, all assumed.
ORDER_PIECES_MEDIAN = 350.0
ORDER_PIECES_LOG_SD = 0.5
ORDER_PIECES_RANGE = (120, 1200)
LARGE_OVER_BEST = 1.15  # a large order is this times what the best factory makes in the window, overtime included
WINDOW_DAYS = (16, 20)  # from placing to delivery
TOLERANCE_SHARE = 0.03
OPENING_COVER_DAYS = (1.0, 14.0)  # opening stock of a style-colour, days of its recent demand
