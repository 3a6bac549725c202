// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/lines.h -- floor 7: the lines of an input of any size, in bounded memory, uncopied.
//
//   LineReader lines(fd, 1 << 20);
//   while (lines.Fill()) {
//     while (lines.Next(&line)) ...
//     // here the reader would wait: time to write out what was found
//   }
//
//   buffer_  | done | a line\n | another\n | half of a li|          |
//                   ^begin_                ^unread       ^end_
//
// L1  A line is handed out where it was read; it is copied only when it is the half at the end of a
//     block, which moves to the front.
// L2  Every byte is looked at for a line end once, however often its line has to wait for more.
// L3  The buffer grows up to twice the longest line that is allowed, and a block. A longer line is
//     dropped as it comes, and reported with its beginning.
#ifndef BANYAN_LIB_TOOL_LINES_H_
#define BANYAN_LIB_TOOL_LINES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace banyan::inline v0_1::tool {

struct Line {
  std::string_view text;  // as it stands, without '\n'; valid until the next Fill()
  int64_t number = 0;     // from 1
  bool too_long = false;  // then `text` is only its beginning
};

class LineReader {
 public:
  LineReader(int fd, size_t line_bytes_max);

  // Reads a block. False: the end, or an error().
  bool Fill();

  // The next line of what was read; a last line without a line end is one, too.
  bool Next(Line* line);

  int error() const { return error_; }  // an errno, or 0
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  void DropBeyondLimit();

  const int fd_;
  const size_t line_bytes_max_;
  std::vector<char> buffer_;
  size_t begin_ = 0;    // of the next line
  size_t scanned_ = 0;  // no line end lies in [begin_, scanned_)
  size_t end_ = 0;
  bool dropping_ = false;  // the line at begin_ is too long: its middle is gone
  bool at_end_ = false;
  int error_ = 0;
  int64_t number_ = 0;
  uint64_t bytes_read_ = 0;
};

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_LINES_H_
