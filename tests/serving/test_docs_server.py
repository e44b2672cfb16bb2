"""The dbt docs are served to our own browser and to nobody else's page."""

from pathlib import Path

from strades_pipelines.system.ports import free_port
from tests.serving.serving import Served, running


def test_the_docs_are_served_and_a_rebound_name_reads_nothing(tmp_path: Path) -> None:
    docs, port = tmp_path / "docs", free_port()
    docs.mkdir()
    (docs / "index.html").write_text("<title>dbt docs</title>")
    (tmp_path / "secret").write_text("secret")
    command = ["python", "-m", "strades_pipelines.serving.docs_server", "--port", str(port), str(docs)]
    with running(command, port, tmp_path):
        served = Served(port, tmp_path)
        assert served.send("GET", "/") == (200, "<title>dbt docs</title>")
        assert served.send("GET", "/", [("Host", f"rebound.example:{port}")])[0] == 403
        assert served.send("GET", "/", [("Origin", "http://evil.example")])[0] == 403
        assert served.send("POST", "/", [("Content-Type", "application/json")], "{}")[0] == 403
        assert [served.send("GET", path)[0] for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret")] == [404] * 3
