// SPDX-License-Identifier: Apache-2.0
//
// LineReader: the lines of a file of any size, in bounded memory.
#ifndef BANYAN_EXAMPLES_REPLAY_LINES_H_
#define BANYAN_EXAMPLES_REPLAY_LINES_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace replay {

struct Line {
  std::string_view text;  // without its line end; valid until the next line is read
  int64_t number = 0;     // from 1
  int64_t offset = 0;     // of its first byte in the file, from 0
  bool too_long = false;  // then `text` is only its beginning
};

class LineReader {
 public:
  // Lines longer than `line_bytes_max` are cut there, and say so.
  LineReader(std::FILE* file, size_t line_bytes_max)
      : file_(file), line_bytes_max_(line_bytes_max), chunk_(64 << 10) {}

  // False at the end of the file. A last line without a line end is a line.
  bool Next(Line* line);

 private:
  std::FILE* const file_;
  const size_t line_bytes_max_;
  std::vector<char> chunk_;
  size_t begin_ = 0;  // unread bytes of chunk_
  size_t end_ = 0;
  std::string text_;
  int64_t number_ = 0;
  int64_t offset_ = 0;
};

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_LINES_H_
