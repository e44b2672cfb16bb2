import json, subprocess, sys, os, time
from datetime import datetime, timedelta, UTC
from pathlib import Path
from strades_pipelines.datamanager.planning import plan, spider_plan
from strades_pipelines.datamanager.fetch_log import read_fetch_log
from strades_pipelines.datamanager import sources as S


def test_all(sandbox, database_url, connection):
    load = getattr(S, "load_sources", None) or getattr(S, "read_sources")
    src = load(Path("Sources.json"))
    now = datetime.fromisoformat("2026-11-01T00:00:30+00:00")
    for round_ in (1, 2):
        for site in src.websites:
            reqs = plan(
                site,
                src,
                window=(datetime(2000, 3, 1, tzinfo=UTC), now),
                now=now,
                log=read_fetch_log(connection, site.name),
            )
            connection.commit()
            t = time.time()
            p = subprocess.run(
                [sys.executable, "-m", "scrapers"],
                input=json.dumps(spider_plan(site, reqs, run_id="r")),
                text=True,
                capture_output=True,
                env={
                    **os.environ,
                    "STRADES_SPIDER_DATABASE": database_url,
                    "STRADES_SANDBOX_URL": sandbox.url,
                    "STRADES_SANDBOX_NOW": "2026-11-01T00:00:30Z",
                },
            )
            print(site.name, len(reqs), p.returncode, round(time.time() - t, 2), p.stdout[:600], p.stderr[-300:])
