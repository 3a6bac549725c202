#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes decomposition_table.inc: which two characters a composed character stands for.

    python3 lib/pattern/make_decomposition_table.py > lib/pattern/decomposition_table.inc

Canonical decompositions of the Unicode Character Database, one step each, characters of the basic
plane. Those into a single character (other names of one sign) and Hangul syllables, which are
computed, are left out.
"""
import sys
import unicodedata


def main():
    rows = []
    for code in range(0x10000):
        text = unicodedata.decomposition(chr(code)) if not 0xD800 <= code < 0xE000 else ''
        parts = [int(part, 16) for part in text.split()] if text and text[0] != '<' else []
        if len(parts) == 2:
            rows.append('{0x%04X, 0x%04X, 0x%04X}' % (code, *parts))
    print('// SPDX-License-Identifier: Apache-2.0')
    print('// Written by make_decomposition_table.py from Unicode %s. Do not edit.' % unicodedata.unidata_version)
    print('// clang-format off')
    print('constexpr Decomposition kDecompositions[] = {')
    print('    // character, first part, second part')
    for i in range(0, len(rows), 3):
        print('    %s,' % ', '.join(rows[i:i + 3]))
    print('};')
    print('// clang-format on')


if __name__ == '__main__':
    sys.exit(main())
