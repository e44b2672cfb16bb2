"""Random strategies in ordinary Python, as users write it: most compile, some do not, some fail."""

from random import Random

WIDE = ("9007199254740993", "3037000500", "1000000000000000003", "-9223372036854775807", "4611686018427387904")
FLOATS = ("0.0", "-0.0", "1.0", "0.5", "-2.5", "3.0", "1e300", "1e-308", "math.inf", "-math.inf", "math.nan", "RATE")
INTS = ("0", "1", "2", "3", "-1", "-3", "7", "LIMIT", "self.SPAN", "len(self.window)", "account.size")
OF_ONE = ("math.sqrt", "math.log", "math.exp", "math.sin", "math.tanh", "math.atan", "math.fabs", "sqrt", "math.log1p")
HEAD = """
import math
from math import sqrt

from strades_pipelines.strategy.indicators import Ema, RollingMax, Sma
from strades_pipelines.strategy.strategy import Strategy

RATE = {rate}
LIMIT = {limit}
TABLE = [1.0, 2.0, 3.0]


def clip(x, low=-10.0, high=10.0):
    if x < low:
        return low
    return high if x > high else x


def turned(x, n=2):
    total = 0.0
    for k in range(n):
        total += x / (k + 1)
    return total


class Part:
    WEIGHT = {weight}

    def __init__(self, step):
        self.step = step
        self.total = 0.0
        self.calls = 0
        self.past = [0.0, 0.0, 0.0]

    @property
    def mean(self):
        return self.total / self.calls if self.calls else {empty}

    def add(self, value, times=1):
        self.calls += 1
        self.total += value * self.step * times
        self.past[self.calls % 3] = value
        return self.total


class Base(Strategy):
    SPAN = {span}

    def on_start(self, account):
        self.a = {a}
        self.b = {b}
        self.n = {n}
        self.k = 0
        self.up = False
        self.window = [0.0] * 4
        self.counts = [0, 0, 0]
        self.part = Part(0.5)
        self.parts = [Part(1.0), Part(-2.0)]
        self.means = [{indicator} for _ in range(account.size)]
{more}

    def turn(self):
        self.k = (self.k + 1) % 3
        return self.k

    def score(self, x, scale=1.0):
        return {score}

    def roll(self, value):
        for j in range(3):
            self.window[j] = self.window[j + 1]
        self.window[{end}] = value


class Written(Base):
{override}
    def on_fill(self, fill, account):
        {filled}

    def on_aggregate_bar(self, bar, account):
        i = bar.i
        price = bar.close
        self.n += 1
        mean = self.means[i].update(price)
{body}
"""
# What a strategy may have besides, and a line that uses it: state that has no place, and second names.
MORE = (
    ("self.seen = []", "self.seen.append(price)"),
    ("self.names = {'a': 1.0}", "self.a = self.names['a']"),
    ("self.last = None", "self.last = price"),
    ("self.view = self.window", "self.b = self.view[0]"),
    ("self.twice = [self.part] * 2", "self.twice[0].add(price)"),
    ("self.pair = [Part(1), Part(2.5)]", "self.pair[1].add(price)"),
    ("self.mixed = [1, 2.5]", "self.a = self.mixed[0]"),
    ("self.account = account", "self.b = self.account.cash"),
    ("self.add = self.part.add", "self.add(price)"),
    ("self.ends = (Part(3.0), Part(0.25))", "for one in self.ends:\n            self.a += one.add(price)"),
    ("self.huge = 10 ** 30", "self.n = self.huge % 7"),
    ("self.high = RollingMax(2)", "self.a = self.high.update(self.n)"),
    ("self.flags = [True, False]", "self.flags[self.turn() % 2] = price > 100.0"),
)


# Of a loop; an attribute alone may have become a number that no loop ends at, as that of number 10,899 had.
RANGES = ("3", "0", "1, 4", "3, -1, -2", "min(self.k, 9)", "len(self.counts)", "LIMIT % 5")


class Writer:
    """Writes one strategy; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.locals: list[str] = []

    def strategy(self) -> str:
        """The source of a module whose class `Written` is the strategy."""
        pick, more = self.random.choice, self.random.sample(MORE, self.random.choice((0,) * 9 + (1, 1, 2)))
        body = [line for _, use in more for line in [use] if self.random.random() < 0.9]
        if self.random.random() < 0.85:
            self.locals += ["x", "y", "z", "count"]
            body += [f"x, y, z, count = {self.real(1)}, {self.real(0)}, price, {self.whole(0)}"]
        body += [self.statement(2) for _ in range(self.random.randint(3, 8))]
        body += [f"account.target[i] = {self.target()}"] if self.random.random() < 0.8 else []
        override = ""
        if self.random.random() < 0.3:
            override = f"    SPAN = {pick(('2', '5', '0'))}\n\n    def score(self, x, scale=2.0):\n"
            override += f"        return {self.real(1, 'x')}\n\n"
        return HEAD.format(
            rate=pick(("0.5", "2.0", "-1.5")),
            limit=pick(("3", "4", "0", "-2", *WIDE[:2])),
            weight=pick(("1.5", "2", "True")),
            empty=pick(("0.0", "math.nan", "0")),
            span=pick(("3", "4", "2.0")),
            a=pick(("0.0", "1.0", "-0.0", "2.5") * 5 + ("0",)),
            b=pick(("0.5", "math.nan", "100.0")),
            n=pick(("0", "0", "5", "-7") * 4 + WIDE),
            indicator=pick(("Sma(3)", "Sma(2)", "Ema(3)", "RollingMax(3)")),
            more="".join(f"        {line}\n" for line, _ in more),
            score=self.real(1, "x"),
            end=pick(("3", "-1", "self.k % 3 + 1", "len(self.window) - 1")),
            override=override,
            filled=pick(("self.k += 1", "self.a += fill.quantity", "self.part.add(fill.price)", "pass")),
            body="".join(f"        {line}\n" for line in body),
        )

    def target(self) -> str:
        """What to hold: mostly something small."""
        forms = (
            lambda: self.random.choice(("1", "1.0", "0", "-2.5", "True", "self.k", "self.n % 5")),
            lambda: f"{self.truth(1)} and {self.real(0)}",
            lambda: f"{self.whole(1)} or {self.whole(0)}",
            lambda: f"clip({self.real(2)})",
            lambda: f"1.0 if {self.truth(2)} else {self.random.choice(('0', '0.0', '-1', '-1.0'))}",
            lambda: f"max(-5.0, min(5.0, {self.real(2)}))",
        )
        return self.random.choice(forms)()

    def real(self, depth: int, name: str = "") -> str:
        """An expression that is a float, mostly."""
        pick, real, whole = self.random.choice, self.real, self.whole
        leaves = ["price", "bar.open", "bar.high", "mean", "self.a", "self.b", "self.window[0]", "account.position[i]"]
        leaves += ["account.cash", "self.part.total", "self.parts[0].mean", "self.window[-1]", "account.equity"]
        leaves = [name, name, "self.a", "self.b", "scale", "self.window[1]"] if name else leaves + self.locals
        if depth == 0 or self.random.random() < 0.2:
            return pick((pick(leaves), pick(leaves), pick(leaves), pick(FLOATS)))
        account = "1" if name else None
        forms = (
            lambda: f"({real(depth - 1, name)} {pick('+-*/')} {real(depth - 1, name)})",
            lambda: f"({real(depth - 1, name)} {pick('+-*%')} {pick(('2.0', '3.5', '-0.5', '7'))})",
            lambda: f"({real(depth - 1, name)} {pick('+-*/')} {account or whole(depth - 1)})",
            lambda: f"({account or whole(depth - 1)} / {account or whole(depth - 1)})",
            lambda: f"({real(depth - 1, name)} if {self.truth(depth - 1, name)} else {real(depth - 1, name)})",
            lambda: f"({real(depth - 1, name)} {pick(('or', 'and'))} {real(depth - 1, name)})",
            lambda: f"{pick(('min', 'max'))}({real(depth - 1, name)}, {account or whole(depth - 1)})",
            lambda: f"{pick(OF_ONE)}(abs({real(depth - 1, name)}) + 0.5)",
            lambda: f"{pick((*OF_ONE, 'math.asin', 'math.tan'))}({real(depth - 1, name)})",
            lambda: f"{pick(('math.copysign', 'math.atan2', 'math.fmod'))}({real(0, name)}, {real(0, name)})",
            lambda: f"clip({real(depth - 1, name)}, high={real(0, name)}, low={pick(('-1.0', '0', 'RATE'))})",
            lambda: f"turned({real(depth - 1, name)})",
            lambda: f"float({account or whole(depth - 1)})",
            lambda: f"-{real(depth - 1, name)}",
            lambda: "1.5" if name else f"self.score({real(depth - 1)})",
            lambda: "2.5" if name else f"self.part.add({real(depth - 1)}, times={whole(0)})",
            lambda: "0.5" if name else f"self.window[{self.index(4)}]",
            lambda: "0.25" if name else f"self.parts[{self.index(2)}].past[{self.index(3)}]",
        )
        return pick(forms)()

    def index(self, count: int) -> str:
        """An index of a list of so many, mostly."""
        return self.random.choice(
            (
                *(f"self.k % {count}", f"self.n % {count}", "0", "-1", "bar.i", f"int(abs(price)) % {count}") * 4,
                "self.k - 1",
            )
        )

    def whole(self, depth: int) -> str:
        """An expression that is an int, mostly."""
        pick, whole = self.random.choice, self.whole
        leaves = ("self.n", "self.k", "bar.i", "self.counts[1]", "self.part.calls", "self.up", *INTS)
        if depth == 0 or self.random.random() < 0.25:
            return pick(WIDE) if self.random.random() < 0.04 else pick(leaves)
        forms = (
            lambda: f"({whole(depth - 1)} {pick('+-*')} {whole(depth - 1)})",
            lambda: f"({whole(depth - 1)} {pick(('//', '%'))} {pick(('3', '-2', '7', 'LIMIT', whole(0)))})",
            lambda: f"{pick(('int', 'math.floor', 'math.ceil', 'math.trunc'))}({self.real(depth - 1)})",
            lambda: f"{pick(('int', 'math.floor'))}(clip({self.real(depth - 1)}))",
            lambda: f"({whole(depth - 1)} if {self.truth(depth - 1)} else {whole(depth - 1)})",
            lambda: f"({whole(depth - 1)} {pick(('or', 'and'))} {whole(depth - 1)})",
            lambda: f"{pick(('min', 'max'))}({whole(depth - 1)}, {whole(depth - 1)})",
            lambda: f"abs({whole(depth - 1)})",
            lambda: f"-{whole(0)}",
            lambda: f"int({self.truth(depth - 1)})",
            lambda: f"self.counts[{self.index(3)}]",
            lambda: "self.turn()",
        )
        return pick(forms)()

    def truth(self, depth: int, name: str = "") -> str:
        """A condition."""
        pick, sign = self.random.choice, self.random.choice(("<", "<=", ">", ">=", "==", "!="))
        inner = max(depth - 1, 0)
        forms = [
            lambda: f"{self.real(inner, name)} {sign} {self.real(inner, name)}",
            lambda: f"{self.real(inner, name)} {sign} {'2' if name else self.whole(inner)}",
            lambda: f"{self.real(inner, name)} < {self.real(0, name)} <= {self.real(0, name)}",
            lambda: f"math.{pick(('isnan', 'isfinite', 'isinf'))}({self.real(inner, name)})",
        ]
        if not name:
            forms += [lambda: f"{self.whole(inner)} {sign} {self.whole(inner)}", lambda: "self.up"]
            forms += [lambda: f"0 < self.turn() < {self.whole(0)}", lambda: self.whole(inner)]
        if depth > 0:
            forms += [lambda: f"({self.truth(inner, name)} and {self.truth(inner, name)})"]
            forms += [lambda: f"({self.truth(inner, name)} or {self.truth(inner, name)})"]
            forms += [lambda: f"(not {self.truth(inner, name)})"]
        return pick(forms)()

    def block(self, depth: int, indent: str) -> str:
        """Some statements, indented."""
        lines = [self.statement(depth) for _ in range(self.random.randint(1, 2))]
        return "\n".join(indent + line.replace("\n        ", f"\n        {indent[8:]}") for line in lines)

    def local(self) -> str:
        """A local name: one that is there, or another."""
        name = self.random.choice(("x", "y", "z", "count"))
        return name

    def statement(self, depth: int) -> str:
        """One statement, its own lines indented as those of a method are."""
        pick = self.random.choice
        if depth and self.random.random() < 0.3:
            return self.compound(depth)
        if self.random.random() < 0.02:
            return self.unusual()
        name = self.local()
        forms = (
            lambda: f"self.{pick('ab')} = {self.real(2)}",
            lambda: f"self.{pick('ab')} {pick('+-*')}= {self.real(1)}",
            lambda: f"self.{pick('nk')} = {self.whole(2)}",
            lambda: f"self.up = {self.truth(2)}",
            lambda: f"self.window[{self.index(4)}] = {self.real(2)}",
            lambda: f"self.window[{pick((self.index(4), 'self.turn()'))}] += {self.real(1)}",
            lambda: f"self.counts[{pick((self.index(3), 'self.turn()'))}] {pick('+-*')}= {self.whole(1)}",
            lambda: f"self.a, self.b = {self.real(1)}, {self.real(1)}",
            lambda: "self.roll(price)",
            lambda: f"self.parts[{self.index(2)}].add({self.real(1)}, {self.whole(0)})",
            lambda: f"account.target[i] = {self.target()}",
            lambda: f"account.set_weight(i, {pick(('0.5', '1', '-0.25', self.real(1)))})",
            lambda: (
                f"account.order(i, {pick(('1.0', '2', '-1', 'self.k'))}{pick(('', ', limit=price', ', stop=101'))})"
            ),
            lambda: pick(("account.cancel_all(i)", "account.bracket(i, 1, price - 2, price + 2.0)")),
            lambda: self.assigned(name, self.real(2)),
            lambda: self.assigned(name, self.whole(2)),
            lambda: f"{pick((name, 'price'))} {pick('+-*')}= {self.real(1)}",
        )
        return pick(forms)()

    def assigned(self, name: str, value: str) -> str:
        """A local name set, and known to what comes after, whether or not every way comes by."""
        self.locals.append(name)
        return f"{name} = {value}"

    def compound(self, depth: int) -> str:
        """A branch or a loop."""
        pick, indent = self.random.choice, "            "
        forms = (
            lambda: f"if {self.truth(2)}:\n{self.block(depth - 1, indent)}",
            lambda: (
                f"if {self.truth(1)}:\n{self.block(depth - 1, indent)}\n        elif {self.truth(1)}:\n"
                f"{self.block(depth - 1, indent)}\n        else:\n{self.block(depth - 1, indent)}"
            ),
            lambda: (
                f"for j in range({pick(RANGES)}):\n"
                f"{indent}self.a += j * {self.real(0)}\n{self.block(depth - 1, indent)}"
            ),
            lambda: (
                f"for j in range(4):\n{indent}if {self.truth(1)}:\n{indent}    {pick(('break', 'continue'))}\n"
                f"{self.block(depth - 1, indent)}"
            ),
            lambda: (
                f"w{depth} = 0\n        while w{depth} < 3 and {self.truth(1)}:\n"
                f"{indent}w{depth} += 1\n{self.block(depth - 1, indent)}"
            ),
            lambda: f"if {self.truth(1)}:\n{indent}return",
            lambda: f"if {self.truth(1)} and self.n % 5 == 4:\n{indent}raise ValueError('enough')",
        )
        return pick(forms)()

    def unusual(self) -> str:
        """What no compiled code has, and what it may get wrong."""
        return self.random.choice(
            (
                f"try:\n            self.a = {self.real(1)}\n"
                "        except (ZeroDivisionError, ValueError):\n            self.a = 1.0",
                "self.a = sum(self.window)",
                f"self.b = {self.real(0)} ** 2",
                f"self.k = round({self.real(0)}) if price < 1e6 else 0",
                "self.a = max(self.window)",
                "self.a = [price, 1.0][self.k % 2]",
                "self.window = [price] * 4",
                "self.part = Part(0.75)",
                "self.b = TABLE[self.k % 3]",
                "self.n = int(price * 1e16)",
                "self.b = price // 7.0",
                "self.k ^= 1",
                "self.SPAN += 1",
                "self.up = self.n",
                "self.k = price",
                "self.b = undefined",
                "if (q := price) > 100.0:\n            self.a = q",
                "self.a = x = price",
                "self.window[0], self.k = self.window[1], self.turn()",
                "self.a = super().score(price)",
                "abs = price",
                "self.b = Part.WEIGHT * price",
                "self.counts[5] = 1",
                "self.counts[self.n % 3] = price",
            )
        )
