// SPDX-License-Identifier: Apache-2.0
#include "house/source_tree.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace banyan::house {

namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

bool IsIdentifierChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Whether the quote at `at` opens a raw string: an R in front of it that starts a word, or ends one
// of the encoding prefixes.
bool OpensRawString(std::string_view text, size_t at) {
  if (at == 0 || text[at - 1] != 'R') return false;
  size_t start = at - 1;
  while (start > 0 && IsIdentifierChar(text[start - 1])) --start;
  const std::string_view prefix = text.substr(start, at - start);
  return prefix == "R" || prefix == "u8R" || prefix == "uR" || prefix == "UR" || prefix == "LR";
}

}  // namespace

std::vector<SourceFile> ReadSources(const std::vector<std::string>& folders) {
  const fs::path root = BANYAN_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc" && extension != ".inc") continue;
      files.push_back({.path = fs::relative(entry.path(), root).generic_string(),
                       .text = ReadFile(entry.path())});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

SourceFile ReadSource(const std::string& path) {
  return {.path = path, .text = ReadFile(fs::path(BANYAN_SOURCE_DIR) / path)};
}

std::string CodeOnly(std::string_view text) {
  std::string code(text);
  // Blanks [from, to) but keeps line ends, so that positions stay true.
  const auto blank = [&code](size_t from, size_t to) {
    for (size_t i = from; i < std::min(to, code.size()); ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  size_t i = 0;
  while (i < text.size()) {
    if (text.substr(i, 2) == "//") {
      const size_t end = std::min(text.find('\n', i), text.size());
      blank(i, end);
      i = end;
    } else if (text.substr(i, 2) == "/*") {
      const size_t close = text.find("*/", i + 2);
      const size_t end = close == std::string_view::npos ? text.size() : close + 2;
      blank(i, end);
      i = end;
    } else if (text[i] == '"' && OpensRawString(text, i)) {
      const size_t open = text.find('(', i);
      if (open == std::string_view::npos) break;
      const std::string closing = ")" + std::string(text.substr(i + 1, open - i - 1)) + "\"";
      const size_t close = text.find(closing, open);
      blank(i + 1, close);
      i = close == std::string_view::npos ? text.size() : close + closing.size();
    } else if (text[i] == '"' ||
               // A quote inside a number (120'000) opens nothing.
               (text[i] == '\'' && (i == 0 || !IsIdentifierChar(text[i - 1])))) {
      const char quote = text[i];
      size_t end = i + 1;
      while (end < text.size() && text[end] != quote && text[end] != '\n') {
        end += text[end] == '\\' ? 2 : 1;
      }
      blank(i + 1, end);
      i = end + 1;
    } else {
      ++i;
    }
  }
  return code;
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace banyan::house
