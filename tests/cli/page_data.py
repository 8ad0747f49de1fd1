# SPDX-License-Identifier: MIT
"""The data of a page that tessera writes, by a parser of HTML that is not ours."""
import html.parser
import json


class _Data(html.parser.HTMLParser):
    text, inside = "", False

    def handle_starttag(self, tag, attrs):
        self.inside = ("id", "data") in attrs

    def handle_data(self, data):
        self.text += data if self.inside else ""

    def handle_endtag(self, tag):
        self.inside = False


def data_of(path):
    """What the element "data" of the page holds."""
    parser = _Data()
    with open(path, encoding="utf-8") as page:
        parser.feed(page.read())
    return json.loads(parser.text)
