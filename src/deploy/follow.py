#!/usr/bin/env python3
"""follow.py URL PREFIX ROOT: copies a storagePrefix into ROOT, and follows it, for a server with
-read-only there. Run again it goes on where it was. It ends with status 1 and says why when the
source no longer has what was copied: then delete ROOT/PREFIX and begin anew. An example: no tokens."""
import http.client, json, os, pathlib, struct, sys, threading, time, urllib.request, zlib
HEADER = struct.Struct("<IQI")

def die(text):
    os.write(2, b"follow.py: %s; the copy stays as it is\n" % str(text).encode())
    os._exit(1)

def ask(path, **parameters):
    """Headers and body of the reply, as soon as the source is there."""
    query = urllib.parse.urlencode({k: v for k, v in parameters.items() if v != ""})
    while True:
        try:
            with urllib.request.urlopen("%s%s?%s" % (source, path, query), timeout=90) as reply:
                return reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                die("%s?%s: %d %s" % (path, query, error.code, error.read().decode().strip()))
        except (OSError, http.client.HTTPException):
            pass  # it restarts, or has ended in the middle of a reply
        time.sleep(0.5)

def manifest():
    of = json.loads(ask("/ends", storagePrefix=prefix)[1])
    slots = "slots %s\n" % of["slots"] if "slots" in of else ""
    return "rochefort 1\nbuckets %d\nhash %s\n%s" % (of["buckets"], of["hash"], slots)

def follow(bucket):
    end, last = 0, ""  # of what the copy has; its last record, as a scan wants it
    with open("%s/append.%d.raw" % (copy, bucket), "a+b", buffering=0) as file:
        while True:
            size = file.seek(0, os.SEEK_END)
            while file.seek(end) + HEADER.size <= size:
                length, _, crc = HEADER.unpack(header := file.read(HEADER.size))
                if crc != zlib.crc32(header[:12]) or end + HEADER.size + length > size:
                    break
                end, last = end + HEADER.size + length, "%d:%s" % (end, header.hex())
            file.truncate(end)  # what an earlier run has left of a record
            headers, body = ask("/scan", storagePrefix=prefix, bucket=bucket, offset=end,
                                last=last, wait=60)
            if body and not last and manifest() != text:
                die("the source has made %s anew" % prefix)
            if int(headers["Rochefort-Next-Offset"]) != end + len(body):
                die("bucket %d is damaged at %d: repair the source" % (bucket, end + len(body)))
            file.write(body)  # if there is no room for all, the rest is asked for again
            os.fdatasync(file)

(source, prefix, root), threading.excepthook = sys.argv[1:], lambda failed: die(failed.exc_value)
text, copy = manifest(), pathlib.Path(root, prefix)
copy.mkdir(parents=True, exist_ok=True)
if not (copy / "MANIFEST").exists():
    (copy / ".MANIFEST.new").write_text(text)
    (copy / ".MANIFEST.new").rename(copy / "MANIFEST")
if (copy / "MANIFEST").read_text() != text:
    die("%s/MANIFEST is not that of the source" % copy)
for bucket in range(int(text.split()[3])):
    threading.Thread(target=follow, args=[bucket]).start()
