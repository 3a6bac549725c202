// SPDX-License-Identifier: Apache-2.0
#include "lines.h"

#include <algorithm>
#include <cstring>

namespace replay {

bool LineReader::Next(Line* line) {
  text_.clear();
  *line = {.text = {}, .number = number_ + 1, .offset = offset_, .too_long = false};
  bool started = false;
  bool ended = false;
  while (!ended) {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = std::fread(chunk_.data(), 1, chunk_.size(), file_);
      if (end_ == 0) break;
    }
    started = true;
    const char* from = chunk_.data() + begin_;
    const void* newline = std::memchr(from, '\n', end_ - begin_);
    ended = newline != nullptr;
    const size_t bytes =
        ended ? static_cast<size_t>(static_cast<const char*>(newline) - from) : end_ - begin_;

    const size_t room = line_bytes_max_ - text_.size();
    line->too_long = line->too_long || bytes > room;
    text_.append(from, std::min(bytes, room));
    const size_t consumed = bytes + (ended ? 1 : 0);
    begin_ += consumed;
    offset_ += static_cast<int64_t>(consumed);
  }
  if (!started) return false;
  if (text_.ends_with('\r') && !line->too_long) text_.pop_back();
  line->text = text_;
  number_ = line->number;
  return true;
}

}  // namespace replay
