"""What the 4D view costs: a frame beside that of a bare page with the same two draw calls, a selection, and the server.

20,000 nodes and 40,000 edges in Chromium without a graphics card (SwiftShader): only the ratio says something. The
server reads marts of RELATIONS_STOCKS (500) stocks times RELATIONS_YEARS (20), written as they are. RELATIONS_PART is
`browser` or `server`; without it both.
"""

import os
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.databases import empty_database

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

STOCKS, YEARS = (
    int(os.environ.get(f"RELATIONS_{name}", value)) for name, value in (("STOCKS", "500"), ("YEARS", "20"))
)
NODES, EDGES, FRAMES = 20_000, 40_000, 15
ASSETS = ("rawsources/yahoo", "records/candles", "cleaned/daily_bars", "features/daily")
END = date(2024, 1, 1)
FIRST = 1_704_067_200  # its midnight
BROWSER = ["--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
# In one frame: the time before it, what is asked for, and the time when it is drawn (reading a pixel waits for that).
FRAME = """([draw, id]) => new Promise(done => {
    let started;
    requestAnimationFrame(() => { started = performance.now(); });
    draw === 'slider' ? (() => {
        const slider = document.getElementById('space-to');
        slider.value = Number(slider.value) - 60;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
    })() : requestAnimationFrame(bare);
    requestAnimationFrame(() => {
        const gl = document.getElementById(id).getContext('webgl2');
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
        done(performance.now() - started);
    });
})"""
SELECT = """() => {
    const canvas = document.getElementById('space-canvas'), box = canvas.getBoundingClientRect();
    const place = {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, pointerId: 1, bubbles: true};
    canvas.setPointerCapture = () => {};
    const started = performance.now();
    canvas.dispatchEvent(new PointerEvent('pointerdown', place));
    canvas.dispatchEvent(new PointerEvent('pointerup', place));
    return performance.now() - started;
}"""
BARE = """([width, height, nodes, edges]) => {
    const canvas = document.body.appendChild(document.createElement('canvas'));
    canvas.id = 'bare';
    [canvas.width, canvas.height] = [width, height];
    const gl = canvas.getContext('webgl2', {antialias: false});
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, `#version 300 es
        layout(location=0) in vec3 place; void main() { gl_Position = vec4(place, 1.); gl_PointSize = 3.; }`],
        [gl.FRAGMENT_SHADER, `#version 300 es
        precision mediump float; out vec4 shown; void main() { shown = vec4(.1, .2, .3, .3); }`]]) {
        const made = gl.createShader(kind);
        gl.shaderSource(made, text);
        gl.compileShader(made);
        gl.attachShader(program, made);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    let seed = 1;
    const chance = () => (seed = seed * 16807 % 2147483647) / 2147483647 * 1.4 - .7;
    const [points, lines] = [nodes, edges * 2].map(count => {
        const made = gl.createVertexArray();
        gl.bindVertexArray(made);
        gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ARRAY_BUFFER, Float32Array.from({length: count * 3}, chance), gl.STATIC_DRAW);
        gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 12, 0);
        gl.enableVertexAttribArray(0);
        return made;
    });
    window.bare = () => {
        gl.viewport(0, 0, width, height);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.bindVertexArray(lines);
        gl.drawArrays(gl.LINES, 0, edges * 2);
        gl.bindVertexArray(points);
        gl.drawArrays(gl.POINTS, 0, nodes);
    };
}"""


def main() -> None:
    """Print both parts."""
    part = os.environ.get("RELATIONS_PART", "")
    with empty_database() as url, tempfile.TemporaryDirectory(prefix="strades-bench-home-") as folder:
        from benchmarks.dashboard import signed_in

        print(f"load {os.getloadavg()[0]:.1f}")
        if part != "server":
            measure_browser(signed_in(url, folder))
        if part != "browser":
            fill(url, Path(folder))
            measure_server(signed_in(url, folder))


def made_graph() -> Any:
    """Nodes and edges of a week of many instruments, each node on two of the plane below."""
    from dashboard.gateway.relation_graph import Edge, Graph, Node

    listings = NODES // (7 * 4)
    nodes = [
        Node(
            plane,
            asset,
            "",
            n + 1,
            END + timedelta(days=day),
            1,
            1_704_067_200 + day * 86_400,
            1_704_070_800 + day * 86_400,
        )
        for plane, asset in enumerate(ASSETS)
        for n in range(listings)
        for day in range(7)
    ]
    size = listings * 7
    edges = [
        Edge(source, source, target, 1, 0)
        for target in range(size, len(nodes))
        for source in (target - size, target - size - target % 7)
        if source >= 0
    ]
    edges += [Edge(n % size, n % size, size + n * 7 % size, 1, 0) for n in range(EDGES - len(edges))]
    return Graph("instrument", nodes, sorted(edges, key=lambda edge: edge.target))


def measure_browser(client: Any) -> None:
    """Frames of the page and of a bare one beside it, in the same go."""
    from django.template.loader import render_to_string
    from django.test import RequestFactory
    from playwright.sync_api import sync_playwright

    from dashboard.relations4d.columns import encode
    from dashboard.relations4d.views import PLANE_NAMES
    from tests.serving.browsing import browser_program

    graph = made_graph()
    lanes = {n + 1: (n, f"v:S{n}") for n in range(NODES // 28)}
    started = time.process_time()
    body = encode(graph, lanes, {"planes": PLANE_NAMES})
    print(f"{len(graph.nodes):,} nodes, {len(graph.edges):,} edges: {len(body) / 1e3:.0f} kB", end=" ")
    print(f"encoded in {(time.process_time() - started) * 1e3:.0f} ms of the processor")
    planes = [(n + 1, name, True) for n, name in enumerate(PLANE_NAMES)]
    context = {"graph": graph, "planes": planes, "columns_address": "columns/", "has_marts": True, "filters": {}}
    html = render_to_string("relations4d/relations.html", context, RequestFactory().get("/4d/"))
    static = Path(__file__).parents[1] / "dashboard" / "static"

    def answer(route: "Route") -> None:
        path = route.request.url.partition("://x")[2].partition("?")[0]
        if path == "/4d/columns/":
            route.fulfill(body=body, content_type="application/octet-stream")
        elif path.startswith("/static/"):
            name = path.removeprefix("/static/").split("/")[-1].split(".")
            route.fulfill(path=static / "dashboard" / f"{name[0]}.{name[-1]}")
        else:
            route.fulfill(body=html, content_type="text/html")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=BROWSER)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.route("**/*", answer)
        page.goto("http://x/4d/")
        page.wait_for_selector("#space[data-ready]")
        _print_frames(page)
        browser.close()


def _print_frames(page: "Page") -> None:
    size = page.evaluate("(({width, height}) => [width, height])(document.getElementById('space-canvas'))")
    page.evaluate(BARE, [*size, NODES, EDGES])
    own, bare = [], []
    for _ in range(FRAMES):
        own.append(page.evaluate(FRAME, ["slider", "space-canvas"]))
        bare.append(page.evaluate(FRAME, ["bare", "bare"]))
    ratio = median(own) / median(bare)
    print(f"a frame of {size[0]} x {size[1]}: {median(own):.0f} ms, of a bare page {median(bare):.0f} ms: {ratio:.2f}")
    print(f"a selection: {median(page.evaluate(SELECT) for _ in range(5)):.0f} ms")


def fill(url: str, folder: Path) -> None:
    """The marts, made by dbt, with rows of each session of each stock."""
    from strades_pipelines.database.connection import connect
    from tests.dbt_project.building import run_dbt

    os.environ.setdefault("STRADES_TEST_FOLDER", str(folder))
    started = time.perf_counter()
    run_dbt(url, ("run",))
    days = f"""
        FROM (
            SELECT d::date AS day FROM generate_series(
                '{END - timedelta(days=365 * YEARS)}'::date, '{END}'::date, interval '1 day'
            ) AS d
        ) AS d CROSS JOIN generate_series(1, {STOCKS}) AS s (id) WHERE extract(isodow FROM day) < 6
    """
    with connect(url) as connection:
        connection.execute(
            f"INSERT INTO records.listings SELECT id, 'v', 'S' || id, 'USD', 0.01, 1, 'raw', '24/7' "
            f"FROM generate_series(1, {STOCKS}) AS id"
        )
        connection.commit()
        connection.execute("SET ROLE strades_dbt")
        for n, asset in enumerate(ASSETS):
            connection.execute(f"INSERT INTO marts.lineage_nodes SELECT 2, '{asset}', day, id, '', 1, day, day {days}")
            connection.execute(
                f"INSERT INTO marts.lineage_nodes SELECT 1, '{asset}', day, 0, '', count(*), day, day {days} "
                "GROUP BY day"
            )
            if n:
                connection.execute(
                    f"INSERT INTO marts.lineage_edges SELECT 2, '{ASSETS[n - 1]}', '{asset}', day, id, '', id, '', "
                    f"day - {60 * (n == 3)}, day, 1, 0, day {days}"
                )
                connection.execute(
                    f"INSERT INTO marts.lineage_edges SELECT 1, '{ASSETS[n - 1]}', '{asset}', day, 0, '', 0, '', day, "
                    f"day, count(*), 0, day {days} GROUP BY day"
                )
            connection.commit()
        connection.execute(
            "RESET ROLE; INSERT INTO ops.dbt_builds (layer, build_id, ended_at) VALUES ('marts', 'b', now())"
        )
        connection.commit()
        connection.autocommit = True
        connection.execute("SET ROLE strades_dbt")
        connection.execute("VACUUM ANALYZE marts.lineage_nodes")
        connection.execute("VACUUM ANALYZE marts.lineage_edges")
        row = connection.execute(
            "SELECT (SELECT count(*) FROM marts.lineage_nodes), (SELECT count(*) FROM marts.lineage_edges), "
            "pg_total_relation_size('marts.lineage_nodes') / 1e9, pg_total_relation_size('marts.lineage_edges') / 1e9"
        ).fetchone()
    assert row is not None
    minutes = (time.perf_counter() - started) / 60
    print(
        f"{STOCKS} stocks x {YEARS} years: {row[0]:,} nodes ({row[2]:.1f} GB), {row[1]:,} edges ({row[3]:.1f} GB)",
        end=" ",
    )
    print(f"in {minutes:.1f} min")


def measure_server(client: Any) -> None:
    """The columns of each level and the page: the first time, and again."""
    from dashboard.gateway import relations

    ranges = {
        "instrument": f"from={END - timedelta(days=11)}&to={END}",
        "day": f"from={END - timedelta(days=720)}&to={END}&level=day",
        "asset": f"from={END - timedelta(days=365 * YEARS)}&to={END}&level=asset",
    }  # fmt: skip
    for level, query in ranges.items():
        for path in (f"/4d/columns/?{query}", f"/4d/?{query}"):
            relations._read_known_graph.cache_clear()
            times, processor = [], []
            for _ in range(6):
                started, busy = time.perf_counter(), time.process_time()
                answer = client.get(path)
                times.append((time.perf_counter() - started) * 1e3)
                processor.append((time.process_time() - busy) * 1e3)
                assert answer.status_code == 200
            print(f"{level:10} {path[:14]:14} {len(answer.content) / 1e3:6.0f} kB", end=" ")
            print(f"first {times[0]:6.0f} ms, then {median(times[1:]):6.0f} ms; of the processor", end=" ")
            print(f"(without PostgreSQL's) {processor[0]:4.0f} and {median(processor[1:]):4.0f} ms")


if __name__ == "__main__":
    main()
