// SPDX-License-Identifier: Apache-2.0
#include "tool/lines.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tool/io.h"

namespace banyan::inline v0_1::tool {
namespace {

constexpr size_t kBlockBytes = size_t{256} << 10;
constexpr size_t kShownBytes = 1024;  // what stays of a line that is too long

}  // namespace

LineReader::LineReader(int fd, size_t line_bytes_max)
    : fd_(fd), line_bytes_max_(std::max(line_bytes_max, kShownBytes)), buffer_(kBlockBytes) {}

bool LineReader::Fill() {
  if (at_end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  DropBeyondLimit();
  if (buffer_.size() - end_ < kBlockBytes / 2) buffer_.resize(buffer_.size() * 2);

  const ptrdiff_t count =
      ReadSome(fd_, buffer_.data() + end_, std::min(buffer_.size() - end_, kBlockBytes));
  if (count <= 0) {
    if (count < 0) error_ = errno;
    at_end_ = true;
    return end_ > 0;  // a last line without a line end
  }
  end_ += static_cast<size_t>(count);
  bytes_read_ += static_cast<uint64_t>(count);
  return true;
}

bool LineReader::Next(Line* line) {
  const void* newline =
      scanned_ == end_ ? nullptr : std::memchr(&buffer_[scanned_], '\n', end_ - scanned_);
  if (newline == nullptr) {
    scanned_ = end_;
    if (!at_end_ || begin_ == end_) return false;
  }
  const size_t line_end =
      newline == nullptr ? end_
                         : static_cast<size_t>(static_cast<const char*>(newline) - buffer_.data());
  *line = {.text = {&buffer_[begin_], line_end - begin_},
           .number = ++number_,
           .too_long = dropping_ || line_end - begin_ > line_bytes_max_};
  if (line->too_long) line->text = line->text.substr(0, kShownBytes);
  dropping_ = false;
  begin_ = newline == nullptr ? end_ : line_end + 1;
  scanned_ = begin_;
  return true;
}

// Called with the unfinished line at the front of the buffer.
void LineReader::DropBeyondLimit() {
  if (!dropping_ && end_ <= line_bytes_max_) return;
  dropping_ = true;
  end_ = std::min(end_, kShownBytes);
  scanned_ = end_;
}

}  // namespace banyan::inline v0_1::tool
