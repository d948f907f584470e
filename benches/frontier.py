#!/usr/bin/env python3
"""Time against size of every level of gzip and zstd, beside skopeo, pigz, igzip and zstd.

    benches/frontier.py RESTOW LAYERS SVG [SKOPEO...]

LAYERS is a folder that benches/peers.sh --keep left: its layers of a system, of scripts and of packages are taken, of
which some 30 MB each are enough (SIZE_MB=200). Prints a table for each codec and writes the picture SVG. Time is what all
threads of a command take together: neighbours disturb it less than the clock. restow and skopeo also hash the layer
before and after, as they must; the others only compress.
"""

import json, os, re, resource, shutil, subprocess, sys, tempfile
from hashlib import sha256

restow, layers, picture, *skopeos = [os.path.abspath(path) for path in sys.argv[1:]]
kinds = {"a system": "system", "scripts": "scripts", "packages": "packed"}
work = tempfile.mkdtemp(prefix="restow-frontier-")
os.chdir(work)


def sh(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


for kind, file in kinds.items():
    shutil.copy(os.path.join(layers, file + ".tar"), file)
    digest = sha256(open(file, "rb").read()).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}}
    with open("config.json", "w") as out:
        json.dump(config, out)
    with open("manifest.json", "w") as out:
        json.dump([{"Config": "config.json", "RepoTags": ["lab/frontier:1"], "Layers": [file]}], out)
    sh("tar -cf %s.image config.json manifest.json %s" % (file, file))


def version(program):
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", said).group()


def stored(path):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names) if os.path.isdir(path) else os.path.getsize(path)


def points(name, command, levels):
    for level in levels:
        times, sizes = [], []
        for file in kinds.values():
            times.append(sh(command.format(level=level, file=file)))
            sizes.append(stored("out"))
            shutil.rmtree("out") if os.path.isdir("out") else os.remove("out")
        yield name, level, times, sizes
        print(name, level, file=sys.stderr)


ours = restow + " convert -q --compress "
codecs = {
    "gzip": [
        *points("restow", ours + "gzip:{level} docker-archive:{file}.image oci:out", range(1, 10)),
        *(point for path in skopeos for point in points("skopeo " + version(path),
            path + " copy --quiet --dest-compress-level {level} docker-archive:{file}.image oci:out:1", (1, 3, 5, 6, 9))),
        *points("pigz", "pigz -{level} <{file} >out", (1, 3, 5, 6, 7)),
        *points("igzip", "igzip -{level} <{file} >out", range(4)),
    ],
    "zstd": [
        *points("restow", ours + "zstd:{level} docker-archive:{file}.image oci:out", range(1, 8)),
        *(point for path in skopeos for point in points("skopeo " + version(path),
            path + " copy --quiet --dest-compress-format zstd --dest-compress-level {level} docker-archive:{file}.image oci:out:1", (1, 3, 5, 9))),
        *points("zstd", "zstd -q -T0 -{level} <{file} >out", range(1, 8)),
    ],
}

# ---- Tables: a point is on the frontier when none is quicker and smaller, of all layers together.
def frontier(points):
    total = [(sum(times), sum(sizes)) for _, _, times, sizes in points]
    return [not any(t < time and s < size for t, s in total) for time, size in total]


plain = sum(os.path.getsize(file) for file in kinds.values())
for codec, found in codecs.items():
    print("| %s | level | CPU s, all | %% of plain, all | %s | frontier |" % (codec, " | ".join("%s: s, %%" % kind for kind in kinds)))
    print("|---" * (5 + len(kinds)) + "|")
    for (name, level, times, sizes), on in zip(found, frontier(found)):
        each = ["%.2f, %.1f" % (time, 100 * size / os.path.getsize(file)) for time, size, file in zip(times, sizes, kinds.values())]
        print("| %s | %s | %.2f | %.2f | %s | %s |" % (name, level, sum(times), 100 * sum(sizes) / plain, " | ".join(each), "yes" if on else ""))
    print()

# ---- The picture: one panel for each codec; right is slower, up is larger, so that the frontier is below and to the left.
colours = ["#0b6e4f", "#c44536", "#8d6a9f", "#d99a2b", "#3d5a80"]
panels, width, height, edge = [], 460, 360, 50
for panel, (codec, found) in enumerate(codecs.items()):
    xs = [sum(times) for _, _, times, _ in found]
    ys = [100 * sum(sizes) / plain for _, _, _, sizes in found]
    low, high = min(ys) - 0.5, max(ys) + 0.5
    x_of = lambda x: edge + panel * (width + edge) + x / max(xs) * (width - edge)
    y_of = lambda y: edge + (high - y) / (high - low) * (height - edge)
    left = x_of(0)
    panels.append('<text x="%d" y="25" font-weight="bold">%s: CPU seconds (right) and %% of the plain size (up), %d MB of three layers</text>' % (left, codec, plain // 10**6))
    panels.append('<path d="M%d %d V%d H%d" fill="none" stroke="#666"/>' % (left, edge, height, left + width - edge))
    for i in range(5):
        x, y = max(xs) * i / 4, low + (high - low) * i / 4
        panels.append('<text x="%.0f" y="%d" text-anchor="middle">%.1f</text>' % (x_of(x), height + 16, x))
        panels.append('<text x="%.0f" y="%.0f" text-anchor="end">%.1f</text>' % (left - 4, y_of(y) + 4, y))
    for number, name in enumerate(dict.fromkeys(point[0] for point in found)):
        colour = colours[number % len(colours)]
        line = [(x, y, point[1]) for x, y, point in zip(xs, ys, found) if point[0] == name]
        panels.append('<polyline points="%s" fill="none" stroke="%s"/>' % (" ".join("%.0f,%.0f" % (x_of(x), y_of(y)) for x, y, _ in line), colour))
        for x, y, level in line:
            panels.append('<circle cx="%.0f" cy="%.0f" r="3" fill="%s"/><text x="%.0f" y="%.0f" fill="%s">%s</text>' % (x_of(x), y_of(y), colour, x_of(x) + 4, y_of(y) - 4, colour, level))
        panels.append('<text x="%d" y="%d" fill="%s">%s</text>' % (left + width - 130, edge + 16 * (number + 1), colour, name))
with open(picture, "w") as out:
    out.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n' % (
        2 * (width + edge) + edge, height + 30, "\n".join(panels)))
shutil.rmtree(work)
