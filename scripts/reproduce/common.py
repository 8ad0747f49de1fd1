# SPDX-License-Identifier: MIT
"""What the scripts of this folder share: options, commands that run once, statistics, tables, plots."""
import argparse
import csv
import datetime
import json
import math
import os
import platform
import re
import shlex
import signal
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
SCALES = ('tiny', 'quick', 'full')


# ---- options -------------------------------------------------------------------------------------

def seconds(text):
    """90, 90s, 1.5m, 2h, 1d, as tessera reads them."""
    found = re.fullmatch(r'([0-9.]+)([smhd]?)', text)
    try:
        return float(found.group(1)) * {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}[found.group(2)]
    except (AttributeError, ValueError):
        raise argparse.ArgumentTypeError('%r is not a time such as 90, 90s, 1.5m or 2h' % text)


def count(text):
    if not re.fullmatch('[1-9][0-9]*', text):
        raise argparse.ArgumentTypeError('%r is not a number from 1' % text)
    return int(text)


def parser(text):
    p = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--scale', choices=SCALES, default='quick', metavar='{quick,full}',
                   help='quick: under 10 minutes on two cores; full: hours [quick]')
    p.add_argument('--fresh', action='store_true',
                   help='run everything again; else what is there already is kept')
    p.add_argument('--out', default=os.path.join(ROOT, 'results'), metavar='DIR',
                   help='where results go [results/ of the repository]')
    p.add_argument('--tessera', default=os.path.join(ROOT, 'tessera'), metavar='PATH',
                   help='the program [./tessera of the repository]')
    p.add_argument('--threads', type=int, metavar='N', help='of each command [all cores]')
    p.add_argument('--publish', metavar='PAGE.md',
                   help='put the report into this page too, between its lines "<!-- NAME -->" and '
                        '"<!-- end of NAME -->", and the plots into a folder beside it')
    return p


def fill(args, **by_scale):
    """Options that were not given get the default of the scale: name=(tiny, quick, full)."""
    for name, values in by_scale.items():
        if getattr(args, name) is None:
            setattr(args, name, values[SCALES.index(args.scale)])


# ---- statistics ----------------------------------------------------------------------------------

def finite(values):
    return [v for v in values if v is not None and math.isfinite(v)]


def mean(values):
    values = finite(values)
    return statistics.fmean(values) if values else None


def deviation(values):
    """Sample standard deviation; None for fewer than two values."""
    values = finite(values)
    return statistics.stdev(values) if len(values) > 1 else None


def geometric_mean(values):
    values = finite(values)
    return math.exp(statistics.fmean(math.log(v) for v in values)) if values else None


# ---- text ----------------------------------------------------------------------------------------

def number(value, digits=2):
    if value is None or not math.isfinite(value):
        return '-'
    return '{:,.{}f}'.format(value, digits)


def short(value, digits=3):
    """Significant digits, without an exponent where it can be avoided."""
    if value is None or not math.isfinite(value):
        return '-'
    if value == 0:
        return '0'
    return number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def spread(values, digits=2, form=number):
    """Mean, and standard deviation if there are two values or more."""
    sd = deviation(values)
    text = form(mean(values), digits)
    return text if sd is None else '%s ± %s' % (text, form(sd, digits))


def table(header, rows, left=1):
    """Markdown; the first `left` columns are set left."""
    rule = [':--' if i < left else '--:' for i in range(len(header))]
    lines = [header, rule] + [[str(cell) for cell in row] for row in rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'


def plural(n, noun):
    return '%d %s%s' % (n, noun, '' if n == 1 else 's')


# ---- commands that run once ----------------------------------------------------------------------

def processor():
    try:
        with open('/proc/cpuinfo') as f:
            for line in f:
                if line.startswith(('model name', 'Model')):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    if sys.platform == 'darwin':
        found = subprocess.run(['sysctl', '-n', 'machdep.cpu.brand_string'], capture_output=True,
                               text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return platform.processor() or platform.machine()


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def fingerprint(path):
    """Of an input, so that what was made from it is made again when it changes."""
    s = os.stat(path)
    return '%d %d' % (s.st_size, s.st_mtime_ns)


class Study:
    """One script's run: its folder, its commands, its report."""

    def __init__(self, name, args):
        self.name, self.args = name, args
        self.program = os.path.abspath(args.tessera)
        self.folder = os.path.join(os.path.abspath(args.out), name, args.scale)
        self.failed, self.sections, self.commands, self.pictures = [], [], [], []
        self.ran = self.kept = 0
        if not os.access(self.program, os.X_OK):
            sys.exit('%s: %s is missing: run make, or give --tessera' % (name, self.program))
        if args.publish:
            try:
                with open(args.publish) as f:
                    published(f.read(), name, '')
            except (OSError, ValueError) as e:
                sys.exit('%s: --publish %s: %s' % (name, args.publish, e))
        if args.fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(os.path.join(self.folder, 'jobs'), exist_ok=True)
        lines = subprocess.run([self.program, 'version'], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        self.version = ' '.join(lines[0].split())

    def path(self, *parts):
        p = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        return p

    def relative(self, path):
        return os.path.relpath(path, self.args.out)

    def run(self, key, arguments, inputs=(), outputs=(), quiet=True):
        """Runs `tessera arguments...` unless the same command, on the same inputs, was run before and
        its outputs are there. Returns its record (command, seconds, stdout), or None if it failed or
        an input is missing because an earlier command failed."""
        arguments = [str(a) for a in arguments] + (['--quiet'] if quiet else [])
        if self.args.threads is not None:
            arguments += ['--threads', str(self.args.threads)]
        if not all(os.path.exists(i) for i in inputs):
            self.failed.append((key, 'an input is missing'))
            return None
        want = dict(arguments=arguments, version=self.version,
                    inputs={i: fingerprint(i) for i in inputs})
        file = self.path('jobs', key + '.json')
        record = read_json(file)
        if not (record and all(record.get(k) == v for k, v in want.items()) and
                all(os.path.exists(o) for o in outputs)):
            record = self._execute(key, file, want, outputs)
        else:
            self.kept += 1
        if record:
            self.commands.append([key, '%.3f' % record['seconds'], record['version'],
                                  record['command']])
        return record

    def _execute(self, key, file, want, outputs):
        for old in [file, *outputs]:
            if os.path.exists(old):
                os.remove(old)
        start = time.monotonic()
        done = subprocess.run([self.program, *want['arguments']], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        took = time.monotonic() - start
        self.ran += 1
        print('%s  %-40s %8.1f s%s' % (self.name, key, took, '' if done.returncode == 0 else
                                       '  FAILED, exit %d' % done.returncode), file=sys.stderr, flush=True)
        if done.returncode < 0 and -done.returncode in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            raise KeyboardInterrupt
        if done.returncode:
            why = done.stderr.strip().splitlines() or ['exit %d' % done.returncode]
            print('    ' + '\n    '.join(why[-3:]), file=sys.stderr, flush=True)
            self.failed.append((key, why[-1]))
            return None
        record = dict(want, command='tessera ' + shlex.join(want['arguments']), seconds=took,
                      stdout=done.stdout)
        write_text(file, json.dumps(record, indent=1))
        return record

    # -- report

    def text(self, text):
        self.sections.append(text.strip('\n') + '\n')

    def csv(self, name, header, rows):
        path = self.path(name)
        with open(path + '.tmp', 'w', newline='') as f:
            csv.writer(f).writerows([header, *rows])
        os.replace(path + '.tmp', path)

    def picture(self, path, caption):
        if not os.path.exists(path):
            return
        self.pictures.append(path)
        self.text('![%s](%s)' % (caption, self.relative(path)))

    def machine(self):
        return '%s, %s; tessera %s; %s' % (processor(), plural(cores(), 'core'),
                                         re.sub('^tessera ', '', self.version),
                                         datetime.date.today().isoformat())

    def examples(self, keys):
        """The command lines of these jobs, without the folders of files."""
        shown = {c[0]: c[3] for c in self.commands}
        lines = [re.sub(r'\S*/(?=[^/\s]+)', '', shown[k]) for k in keys if k in shown]
        if lines:
            self.text('Command lines:\n\n```sh\n' + '\n'.join(lines) + '\n```')

    def folder_shown(self):
        return os.path.join(os.path.basename(os.path.abspath(self.args.out)), self.relative(self.folder), '')

    def publish(self, page, text):
        """The plots go to a folder that is named as the page, each NAME-PLOT.svg."""
        folder = os.path.splitext(page)[0]
        os.makedirs(folder, exist_ok=True)
        for path in self.pictures:
            name = '%s-%s' % (self.name, os.path.basename(path))
            shutil.copyfile(path, os.path.join(folder, name))
            text = text.replace('](%s)' % self.relative(path), '](%s/%s)' % (os.path.basename(folder), name))
        with open(page) as f:
            before = f.read()
        write_text(page, published(before, self.name, text))

    def finish(self, title, protocol):
        """Writes the report and returns the exit status."""
        self.csv('commands.csv', ['job', 'seconds', 'version', 'command'], self.commands)
        total = sum(float(c[1]) for c in self.commands)
        head = ['## %s\n' % title,
                '*Scale %s; %s; %s in %s seconds. Figures of every run, and all command lines: `%s`.*\n'
                % (self.args.scale, self.machine(), plural(len(self.commands), 'command'),
                   number(total, 0), self.folder_shown()), protocol.strip('\n') + '\n']
        if self.failed:
            head.append('**Failed:** ' + '; '.join('%s (%s)' % f for f in self.failed) + '\n')
        report = os.path.join(os.path.abspath(self.args.out), self.name + '.md')
        text = '\n'.join(head + self.sections)
        write_text(report, text)
        if self.args.publish:
            self.publish(self.args.publish, text)
        print('%s: %s; %d commands run, %d kept, %d failed' % (
            self.name, report, self.ran, self.kept, len(self.failed)))
        return 1 if self.failed else 0


def published(page, name, text):
    """The page with the text between the lines of this name."""
    first, last = '<!-- %s -->\n' % name, '<!-- end of %s -->\n' % name
    start, end = page.find(first), page.find(last)
    if not 0 <= start < end:
        raise ValueError('no lines "%s" and "%s"' % (first.strip(), last.strip()))
    return page[:start + len(first)] + '\n' + text + '\n' + page[end:]


def main(body):
    """Runs body() and ends the program with its status."""
    try:
        sys.exit(body())
    except KeyboardInterrupt:
        print('interrupted: the same command line goes on from here', file=sys.stderr)
        sys.exit(130)


# ---- files ---------------------------------------------------------------------------------------

def read_json(path):
    try:
        with open(path) as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


def read_csv(path):
    """Rows as dictionaries, numbers as float."""
    def value(text):
        try:
            return float(text)
        except ValueError:
            return text
    with open(path, newline='') as f:
        return [{k: value(v) for k, v in row.items()} for row in csv.DictReader(f)]


def write_text(path, text):
    with open(path + '.tmp', 'w') as f:
        f.write(text)
    os.replace(path + '.tmp', path)


IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.pnm')


def images_in(folder):
    return sorted(os.path.join(folder, n) for n in os.listdir(folder)
                  if n.lower().endswith(IMAGES) and not n.startswith('.'))


# ---- curves --------------------------------------------------------------------------------------

def value_at(xs, ys, x):
    """y at x, linear between the points; None outside."""
    if not xs or x < xs[0] or x > xs[-1]:
        return None
    for i in range(1, len(xs)):
        if x <= xs[i]:
            t = (x - xs[i - 1]) / (xs[i] - xs[i - 1]) if xs[i] > xs[i - 1] else 1.0
            return ys[i - 1] + t * (ys[i] - ys[i - 1])
    return ys[-1]


def first_reach(xs, ys, target):
    """Where y first reaches the target, linear between the points; None if it does not."""
    for i, y in enumerate(ys):
        if y >= target:
            if i == 0 or y == ys[i - 1]:
                return xs[i]
            return xs[i - 1] + (target - ys[i - 1]) / (y - ys[i - 1]) * (xs[i] - xs[i - 1])
    return None


# ---- plots ---------------------------------------------------------------------------------------

# Told apart by the colour-blind (Okabe and Ito).
COLOURS = ('#000000', '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f')
DASHES = ('-', '--', ':', '-.')


def pyplot():
    """matplotlib, set up to write the same bytes for the same figures; None if there is none."""
    try:
        import matplotlib
    except ImportError:
        print('reproduce: no figures: there is no matplotlib (Debian: python3-matplotlib)', file=sys.stderr)
        return None
    matplotlib.use('svg')
    matplotlib.rcParams.update({'svg.hashsalt': 'tessera', 'svg.fonttype': 'none', 'font.size': 10,
                                'axes.grid': True, 'grid.color': '#dddddd', 'axes.axisbelow': True})
    import matplotlib.pyplot
    return matplotlib.pyplot


def draw(axes, series, colour, dash, log_y):
    """One series; what has no value, or none above 0 on a logarithmic axis, is left out."""
    rows = [(x, y, a, b) for x, y, a, b in zip(series['x'], series['y'],
                                               series.get('low') or series['y'],
                                               series.get('high') or series['y'])
            if all(v is not None and (v > 0 or not log_y) for v in (y, a, b))]
    if not rows:
        return
    x, y, low, high = zip(*rows)
    kind = series.get('kind', 'line')
    if kind == 'dots':
        axes.plot(x, y, series.get('marker', '.'), color=colour, alpha=0.5, label=series['label'], mew=1.2, mfc='none')
    elif kind == 'bars':
        spread = [[b - a for a, b in zip(low, y)], [b - a for a, b in zip(y, high)]]
        axes.errorbar(x, y, yerr=spread, fmt='s', ms=4, color=colour, label=series['label'], lw=1.2)
    else:
        if series.get('low'):
            axes.fill_between(x, low, high, color=colour, alpha=0.12, lw=0)
        axes.plot(x, y, dash, color=colour, marker='.' if len(x) <= 30 else None, label=series['label'])


def numbered(plt, axis):
    """1, 2, 5, 10, ... along a logarithmic axis."""
    axis.set_major_locator(plt.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(plt.FuncFormatter(lambda v, _: '{:,g}'.format(v)))
    axis.set_minor_formatter(plt.NullFormatter())


def plot(path, title, x_label, y_label, series, log_x=False, log_y=False):
    """An SVG. A series: label (None: not in the legend), x, y, and if known `low` and `high`, drawn as a band, or
    as bars where `kind` is 'bars'; 'dots': points without a line. `colour` and `dash`: numbers, else in turn."""
    plt = pyplot()
    if not plt:
        return
    figure, axes = plt.subplots(figsize=(8.2, 4.2))
    for i, s in enumerate(series):
        draw(axes, s, COLOURS[s.get('colour', i) % len(COLOURS)],
             DASHES[s.get('dash', i // len(COLOURS)) % len(DASHES)], log_y)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    if log_x:
        axes.set_xscale('log')
        numbered(plt, axes.xaxis)
    elif all(x == int(x) for s in series for x in s['x']):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if log_y:
        axes.set_yscale('log')
        numbered(plt, axes.yaxis)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc='center left', bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, bbox_inches='tight', metadata={'Date': None})
    plt.close(figure)
