"""A generated page in a headless Chromium: offline, without errors, and no wider than a phone.

    python tests/browser/report_check.py [folder for page and screenshots]
"""

import base64
import sys
import warnings
from pathlib import Path

from devtools import Page, find_chromium

from sasakit import reference
from sasakit.conformance.mutant_list import MUTANTS
from sasakit.conformance.mutants import mutated_backend
from sasakit.conformance.report import Deviation, Diagnosis, Report
from sasakit.conformance.reports.evidence import gather_evidence
from sasakit.conformance.reports.html import html_page
from sasakit.conformance.reports.summary import reports_of
from sasakit.conformance.runner import run_verification
from sasakit.conformance.target import BackendTarget

BROKEN = ("padding-excluded", "tables-swapped-heads", "shortcut-pooled", "broadcast-silently")
CLAUSES = ("WIN", "PAD", "REL", "MIX", "NET-10", "INV-2")
VIEWS = {"phone": (390, 844, False), "desktop": (1280, 900, False), "dark": (1280, 900, True)}
WRONG = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
# Screenshots end here: enough to look at, however long the page is.
MOST_PIXELS = 6000
SPREAD = "document.querySelectorAll('details').forEach(each => { each.open = true })"
WIDEST = "document.documentElement.scrollWidth"


def made_page():
    """A page with every kind of failure, a diagnosis, and a target that could not be judged."""
    found = {each.deviation: each for each in reversed(MUTANTS) if each.deviation in BROKEN}
    targets = [BackendTarget(name, mutated_backend(found[name]), ("float64",))
               for name in BROKEN] + [BackendTarget("reference", reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reports = reports_of(run_verification(targets, clauses=CLAUSES, profile="brief"), 1.5)
        evidence = gather_evidence(reports, {target.name: target for target in targets})
    reports[0].diagnosis = Diagnosis(
        "deviations", {"extent": 3}, [Deviation("padding-excluded", "PAD-1", "Neighbours outside "
                                                "the image do not take part in the softmax.")],
        [("w_query", "to_q.weight"), ("rel_row", "rel_height_with_quite_a_long_name.weight")],
        convertible="Its weights can stay; ask for padding exclude.")
    reports.append(Report("package.module_with_a_long_name:TheirAttention<script>", "not judged",
                          reason="ModuleNotFoundError: No module named 'package'"))
    return html_page(reports, evidence)


def problems(page, url, name, folder):
    """What is wrong in one view; its screenshot goes to the folder."""
    width, height, dark = VIEWS[name]
    page.open(url, width, height, dark)
    page.value(SPREAD)
    found = [f"{name}: {method} {params}" for method, params in page.events if method in WRONG]
    asked = [params["request"]["url"] for method, params in page.events
             if method == "Network.requestWillBeSent"]
    found += [f"{name}: asked for {address[:200]}" for address in asked
              if address != url and not address.startswith("data:")]
    if (widest := page.value(WIDEST)) > width:
        found.append(f"{name}: {widest} pixels wide in a window of {width}")
    page.open(url, width, height, dark)
    tall = min(page.value("document.documentElement.scrollHeight"), MOST_PIXELS)
    picture = page.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                       clip={"x": 0, "y": 0, "width": width, "height": tall, "scale": 1})
    (folder / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
    return found


def main(folder):
    """Exit status: 0 also where no Chromium is installed, which is said."""
    chromium = find_chromium()
    if chromium is None:
        print("report-check: skipped, no Chromium is installed here.")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "report.html").resolve()
    file.write_text(made_page(), encoding="utf-8")
    page = Page(chromium)
    try:
        found = [each for name in VIEWS for each in problems(page, file.as_uri(), name, folder)]
    finally:
        page.close()
    print("\n".join(found) or f"report-check: {file} is whole offline, {', '.join(VIEWS)}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/report")))
