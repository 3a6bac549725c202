#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fold_case_table.inc: upper and lower case of every Unicode character, full mappings.

    python3 lib/pattern/make_fold_case_table.py > lib/pattern/fold_case_table.inc

Python's str.lower() and str.upper() follow the Unicode Character Database with the root locale, which
is what the engine behind EventBridge asks of its own runtime. Runs of characters whose cases are at the
same distance, next to each other or every second one, become one row; cases that are longer than one
character stand in a table of their own.
"""
import sys
import unicodedata


def cases():
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        lower, upper = chr(code).lower(), chr(code).upper()
        if lower != chr(code) or upper != chr(code):
            yield code, lower, upper


def main():
    rows, special = [], []
    for code, lower, upper in cases():
        if len(lower) > 1 or len(upper) > 1:
            special.append((code, lower, upper))
            continue
        to_lower, to_upper = ord(lower) - code, ord(upper) - code
        # A character may join the last row of its kind if the gap fits the row's stride.
        for row in reversed(rows[-2:]):
            gap = code - row[1]
            if row[3:] == [to_lower, to_upper] and (gap == row[2] or (row[0] == row[1] and gap in (1, 2))):
                row[1], row[2] = code, gap
                break
        else:
            rows.append([code, code, 1, to_lower, to_upper])
    rows.sort()
    print('// SPDX-License-Identifier: Apache-2.0')
    print('// Written by make_fold_case_table.py from Unicode %s. Do not edit.' % unicodedata.unidata_version)
    print('// clang-format off')
    print('constexpr CaseRun kCaseRuns[] = {')
    print('    // first, last, stride, to lower, to upper')
    for row in rows:
        print('    {0x%04X, 0x%04X, %d, %d, %d},' % tuple(row))
    print('};')
    print('constexpr LongCase kLongCases[] = {')
    for code, lower, upper in special:
        def text(s):
            return '"%s"' % ''.join('\\x%02X' % b for b in s.encode())
        print('    {0x%04X, %s, %s},' % (code, text(lower), text(upper)))
    print('};')
    print('// clang-format on')


if __name__ == '__main__':
    sys.exit(main())
