// SPDX-License-Identifier: Apache-2.0
#include "tool/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/strings.h"

namespace banyan::inline v0_1::tool {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;

}  // namespace

std::string Shown(std::string_view text, size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  if (cut) {
    // Not through the middle of a character.
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) {
      --bytes_max;
    }
  }
  std::string shown(text.substr(0, bytes_max));
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  if (cut) shown += "...";
  return shown;
}

void Complain(const Io& io, std::string_view verb, std::string_view text) {
  Output out(io.err);
  out.Write(internal::StrCat("banyan", verb.empty() ? "" : " ", verb, ": ", Shown(text), "\n"));
}

void Output::Write(std::string_view text) {
  if (pending_.size() + text.size() > kPieceBytes) {
    Flush();
    if (text.size() >= kPieceBytes) return WriteThrough(text);
  }
  pending_.append(text);
}

void Output::Flush() {
  WriteThrough(pending_);
  pending_.clear();
}

void Output::WriteThrough(std::string_view text) {
  while (error_ == 0 && !text.empty()) {
    const ssize_t written = write(fd_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
}

InputFile::InputFile(const Io& io, const std::string& path) : is_ours_(path != "-") {
  fd_ = is_ours_ ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : io.in;
  if (fd_ < 0) error_ = errno;
}

InputFile::~InputFile() {
  if (is_ours_ && fd_ >= 0) close(fd_);
}

std::optional<uint64_t> SizeOfFile(const Io& io, const std::string& path) {
  // By its name: to open a named pipe would be to wait for its writer.
  struct stat status = {};
  const bool is_input = path == "-";
  const int failed = is_input ? fstat(io.in, &status) : stat(path.c_str(), &status);
  if (failed != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const off_t at = is_input ? lseek(io.in, 0, SEEK_CUR) : 0;
  return static_cast<uint64_t>(std::max<off_t>(status.st_size - std::max<off_t>(at, 0), 0));
}

ptrdiff_t ReadSome(int fd, char* to, size_t bytes) {
  while (true) {
    const ssize_t count = read(fd, to, bytes);
    if (count >= 0 || errno != EINTR) return count;
  }
}

std::string ErrorText(int error) { return std::generic_category().message(error); }

}  // namespace banyan::inline v0_1::tool
