"""What checks an audit bundle, with nothing but the standard library: its `verify.py` is `ed25519`, `proofs` and this.

Run as a script: `python -I -S verify.py [FOLDER or ZIP]`, by default on the folder it lies in; `--key` is a public key
that you got from its holder, `--manifest` the hash that you were told besides. Exit code 1: not as it was.
"""

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.record.audit.proofs import (
    GENESIS,
    Chain,
    Rows,
    anchor_said,
    bundle_text,
    canonical,
    checkpoint_problems,
    commitment,
    key_id,
    read,
    sha256,
    signature_problems,
    unsigned,
)

__all__ = ["MANIFEST", "SEAL", "SIGNATURE", "archive", "check", "main"]

MANIFEST, SEAL, SIGNATURE = "manifest.json", "manifest.sha256", "manifest.signature.json"
UNLISTED = {MANIFEST, SEAL, SIGNATURE}  # what vouches for the list of files cannot stand in it


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes follow from its files alone: by name, not compressed, all of one time."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            made.writestr(entry, files[name])
    return sink.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Check the bundle, say what was found, and give the exit code."""
    parser = argparse.ArgumentParser(description="Check an audit bundle of Assay.")
    parser.add_argument("place", nargs="?", default=str(Path(__file__).parent), help="folder or zip; by default here")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust, in hexadecimal")
    parser.add_argument("--manifest", help="the SHA-256 of manifest.json that you were told")
    given = parser.parse_args(arguments)
    said, problems = check(Path(given.place), given.key, given.manifest)
    for line in [*said, *(f"PROBLEM {one}" for one in problems)]:
        # what stands in a bundle moves no cursor and begins no line that looks like the verdict
        print("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line))  # noqa: T201
    count = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
    print(f"NOT VERIFIED: {count}" if problems else "VERIFIED: everything is as it was when it was exported")  # noqa: T201
    return 1 if problems else 0


def check(place: Path, trusted: Sequence[str] = (), told: str | None = None) -> tuple[list[str], list[str]]:
    """What there is to say of a bundle, and its problems: damaged files first; only whole ones are read further."""
    try:
        files, problems = _files(place)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        return [], [f"{place.name} cannot be read: {error}"]
    problems += _sealed(files, told)
    if problems:
        return [], problems
    manifest = json.loads(files[MANIFEST])
    said = [
        f"Audit bundle of {manifest['subject']}, as of {manifest['as_of']}, made by assay {manifest['assay']}.",
        f"{len(files)} files are those of the manifest, whose SHA-256 is {sha256(files[MANIFEST])}.",
    ]
    try:
        problems += _meaning(files, manifest, trusted, said)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        problems.append(f"the bundle is not of this form: {type(error).__name__} {error}")
    return said, problems


def _files(place: Path) -> tuple[dict[str, bytes], list[str]]:
    if place.is_dir():
        paths = [path for path in sorted(place.rglob("*")) if not path.is_dir()]
        return {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}, []
    content = place.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        files, problems = {}, []
        for name in opened.namelist():
            try:
                files[name] = opened.read(name)
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
                problems.append(f"{name} is damaged: {error}")
    if not problems and archive(files) != content and not _sealed(files, None):
        problems.append(f"{place.name} holds more, or other, than its files: it was packed again or altered")
    return files, problems


def _sealed(files: Mapping[str, bytes], told: str | None) -> list[str]:
    """Files that are not those of the manifest, by name."""
    missing = [name for name in (MANIFEST, SEAL) if name not in files]
    if missing:
        return [f"{name} is missing" for name in missing]
    digest = sha256(files[MANIFEST])
    if files[SEAL] != f"{digest}  {MANIFEST}\n".encode():
        return [f"{MANIFEST} is not what {SEAL} says: one of them was altered"]
    if told and told.lower() != digest:
        return [f"{MANIFEST} is not the one that you were told: its SHA-256 is {digest}"]
    listed = read(files[MANIFEST].decode(errors="replace")).get("files")
    if not isinstance(listed, dict):
        return [f"{MANIFEST} lists no files"]
    found = [f"{name} is missing" for name in sorted(listed.keys() - files.keys())]
    found += [f"{name} is in no manifest" for name in sorted(files.keys() - listed.keys() - UNLISTED)]
    return found + [
        f"{name} was altered" for name in sorted(listed) if name in files and sha256(files[name]) != listed[name]
    ]


def _meaning(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], trusted: Sequence[str], said: list[str]
) -> list[str]:
    keys = {row["key_id"]: row for row in _lines(files, "keys.jsonl")}
    entries = _lines(files, "ledger.jsonl")
    problems = _chain_problems(entries)
    chain = Chain([row["hash"] for row in entries])
    shown = {row["seq"] for row in entries if "body" in row}
    if manifest["ledger"] != {"entries": len(entries), "head": chain.hashes[-1] if entries else GENESIS}:
        problems.append("ledger.jsonl does not end where the manifest says")
    said.append(f"{len(entries)} entries in an unbroken chain, {len(shown)} of them with what they say.")
    checkpoints = _lines(files, "checkpoints.jsonl")
    wrong = checkpoint_problems(checkpoints, keys, chain)
    problems += wrong
    if checkpoints and not wrong:
        last = checkpoints[-1]
        time, holder = read(last["content"])["time"], keys[last["key_id"]]["holder"]
        said.append(
            f"Entries 1 to {last['seq']} are signed by {holder} at {time}, key {keys[last['key_id']]['public_key']}."
        )
    withheld = {row["seq"] for row in entries} - shown
    vouched = max((row["seq"] for row in checkpoints), default=0)
    if withheld and max(withheld) > vouched:
        said.append(f"Nobody signed for entries after {vouched}: hashes of those withheld are the exporter's word.")
    problems += _anchor_problems(_lines(files, "anchors.jsonl"), chain, said)
    problems += _record_problems(files, keys, shown, said)
    return problems + _manifest_signature(files, manifest, trusted, keys, said)


def _lines(files: Mapping[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.get(name, b"").decode().splitlines()]


def _chain_problems(entries: Rows) -> list[str]:
    """Each entry follows the one before it; those that are here with what they say have the hash of it."""
    found, previous = [], GENESIS
    for number, row in enumerate(entries, 1):
        if row["seq"] != number or row["prev_hash"] != previous:
            found.append(f"ledger.jsonl: entry {row['seq']} does not follow the entry before it")
        if "body" in row:
            entry = canonical({"seq": row["seq"], "kind": row["kind"], "body": row["body"]})
            if sha256(f"{row['prev_hash']}{entry}".encode()) != row["hash"]:
                found.append(f"ledger.jsonl: entry {row['seq']} was edited: its content does not match its hash")
        previous = row["hash"]
    return found


def _anchor_problems(rows: Rows, chain: Chain, said: list[str]) -> list[str]:
    found = []
    for row in rows:
        wrong = chain.disagrees(anchor_said(row))
        found += [f"anchors.jsonl: the anchor in {row['place']} of entry {row['seq']}: {wrong}"] if wrong else []
    if rows and not found:
        last = rows[-1]
        said.append(
            f"{len(rows)} anchors, the last of entry {last['seq']} at {anchor_said(last)['time']} in {last['place']}:"
            " look there whether it says the same."
        )
    return found


def _record_problems(
    files: Mapping[str, bytes], keys: Mapping[str, Mapping[str, Any]], shown: set[int], said: list[str]
) -> list[str]:
    found: list[str] = []
    contents: dict[tuple[str, str], str] = {}
    count = 0
    names = [name for name in files if name.startswith("records/")]
    identity = json.loads(files["tables.json"])
    for name in sorted(names):
        kind = name.removeprefix("records/").removesuffix(".jsonl")
        for line in files[name].decode().splitlines():
            row, count = json.loads(line), count + 1
            contents[kind, "/".join(str(row[key]) for key in identity[kind])] = sha256(line.encode())
            decision = row.get("decision")
            if decision is not None and decision not in shown:
                found.append(f"{name}: a record rests on entry {decision}, which ledger.jsonl does not show")
    said.append(f"{count} records in {len(names)} tables; what they rest on is in the ledger.")
    for row in _lines(files, "models.jsonl"):
        if row["hash"] and sha256(canonical(row["files"]).encode()) != row["hash"]:
            found.append(f"models.jsonl: the files of {row['model']}/{row['version']} are not those that were sealed")
    signatures = _lines(files, "signatures.jsonl")
    ours = [row for row in signatures if keys.get(row["key_id"], {}).get("algorithm", "ed25519") == "ed25519"]
    found += [f"signatures.jsonl: {wrong}" for wrong in signature_problems(ours, keys, contents)]
    said += [f"{len(ours)} signatures of people on records."] if ours else []
    for row in _lines(files, "personal.jsonl"):
        if "value" in row and commitment(row["salt"], row["value"]) != row["commitment"]:
            found.append(f"personal.jsonl: a value is not the one that decisions refer to as {row['ref'][:24]}")
    return found


def _manifest_signature(
    files: Mapping[str, bytes],
    manifest: Mapping[str, Any],
    trusted: Sequence[str],
    keys: Mapping[str, Mapping[str, Any]],
    said: list[str],
) -> list[str]:
    known = {key_id(key) for key in trusted}
    found = [f"key {key[:16]} that you trust is none of this bundle's" for key in trusted if key_id(key) not in keys]
    if SIGNATURE not in files and known:
        return [*found, f"{SIGNATURE} is missing: nobody whom you trust signed the bundle"]
    if SIGNATURE not in files:
        said.append(
            "Nobody signed the bundle itself: compare the SHA-256 of its manifest with what its sender tells you."
        )
        return found
    row = read(files[SIGNATURE].decode(errors="replace"))
    if row.keys() != {"key_id", "signature"} or files[SIGNATURE] != (canonical(row) + "\n").encode():
        return [*found, f"{SIGNATURE} was altered"]
    text = bundle_text(files[MANIFEST], row["key_id"])
    wrong = unsigned(keys.get(row["key_id"]), text, row["signature"], manifest["as_of"])
    if wrong:
        return [*found, f"{SIGNATURE}: {wrong}"]
    if known and row["key_id"] not in known:
        return [*found, f"{SIGNATURE}: it is not signed by a key that you trust"]
    key = keys[row["key_id"]]
    asked = "which you trust" if known else "ask its holder whether it is theirs (--key)"
    said.append(f"The bundle is signed by {key['holder']}, key {key['public_key']}: {asked}.")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
