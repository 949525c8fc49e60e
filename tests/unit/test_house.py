"""The rules of the house, checked on the source itself (CONTRIBUTING.md explains them)."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_MODULE_LINES = 400
TRAVELS_ALONE = {"verify_bundle.py": 1_100}
"""One file on purpose: it lies in every sealed bundle and needs nothing beside it."""
MAX_FUNCTION_LINES = 40
HELP_CPU_S = 0.5
HEAVY = [
    "av",
    "cv2",
    "numpy",
    "faster_whisper",
    "ctranslate2",
    "onnxruntime",
    "rapidocr",
    "boto3",
    "botocore",
    "elasticsearch",
    "prefect",
    "matplotlib",
    "opencc",
    "huggingface_hub",
    "m3u8",
    "cryptography",
]

SOURCES = sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]
each_source = pytest.mark.parametrize("path", SOURCES, ids=IDS)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def length(function: Function) -> int:
    """Lines of a function without its decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def caught(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) if kind is not None else "BaseException" for kind in kinds}


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 20


@each_source
def test_modules_and_functions_are_short(path: Path) -> None:
    most = TRAVELS_ALONE.get(path.name, MAX_MODULE_LINES)
    assert len(path.read_text(encoding="utf-8").splitlines()) < most
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, Function)]
    long = {f.name: length(f) for f in functions if length(f) > MAX_FUNCTION_LINES}
    assert long == {}


@each_source
def test_no_broad_except_that_carries_on(path: Path) -> None:
    handlers = [n for n in ast.walk(tree(path)) if isinstance(n, ast.ExceptHandler)]
    broad = [
        h.lineno
        for h in handlers
        if caught(h) & {"Exception", "BaseException"} and not isinstance(h.body[-1], ast.Raise)
    ]
    assert broad == []


@each_source
def test_the_environment_is_read_in_settings_only(path: Path) -> None:
    if path.name == "settings.py":
        return
    text = path.read_text(encoding="utf-8")
    assert re.search(r"\bos\.(environ|getenv)\b|from os import .*(environ|getenv)", text) is None


@each_source
def test_nothing_is_unfinished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"\b(TODO|FIXME|NotImplementedError)\b", text) is None


@each_source
def test_modules_say_what_they_are_for(path: Path) -> None:
    assert path.name == "__init__.py" or ast.get_docstring(tree(path))


def test_rules_notice_what_they_forbid() -> None:
    body = "\n".join(f"    a{n} = {n}" for n in range(50))
    (long,) = ast.parse(f'def f():\n    """Doc."""\n{body}').body
    assert isinstance(long, ast.FunctionDef)
    assert length(long) == 51
    for text in ("except Exception", "except (ValueError, BaseException)", "except"):
        (block,) = ast.parse(f"try:\n    pass\n{text}:\n    pass").body
        assert isinstance(block, ast.Try)
        assert caught(block.handlers[0]) & {"Exception", "BaseException"}


def help_run() -> tuple[float, str]:
    """CPU seconds of ``evidence --help``, and the heavy modules it loaded."""
    code = (
        "import sys; sys.argv = ['evidence', '--help']\n"
        "from pipeline.serve.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded', *[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Usage" in done.stdout
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, done.stderr.splitlines()[-1]


def test_help_starts_fast_and_loads_nothing_heavy() -> None:
    runs = [help_run() for _ in range(3)]
    assert {loaded for _, loaded in runs} == {"loaded"}
    assert min(cpu_s for cpu_s, _ in runs) < HELP_CPU_S


# --- what is tracked --------------------------------------------------------------------------

HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "proxy." + "golang",
    "repo." + "maven.apache",
    "repo1." + "maven",
]
PLACES = ["/work/" + "main", "/work/" + "shared", "/" + "root/", "/home/" + "user"]


def tracked() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.stat().st_size < 2_000_000:
            yield path


def test_no_registry_hosts_or_machine_paths_are_tracked() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        found += [(str(path), word) for word in HOSTS + PLACES if word.encode() in data]
    assert found == []


def test_every_dependency_is_locked_and_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    wanted += [d for group in project["project"]["optional-dependencies"].values() for d in group]
    wanted += project["dependency-groups"]["dev"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.split(r"[<>=\[; ]", requirement, maxsplit=1)[0]
        assert re.search(rf"(?m)^{re.escape(name)}==", lock), f"{name} is not locked"
        assert f"`{name}`" in told, f"{name} is not in docs/dependencies.md"


def test_tests_do_not_patch_our_own_code() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"^\s*(from|import) unittest\.mock", text, re.MULTILINE) is None, path
        assert re.search(r"""setattr\(\s*["']?(pipeline|flows)\.""", text) is None, path
