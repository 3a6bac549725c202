// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the InputTemplate of a target, its paths and an event: no crash; what a template of
// JSON makes is JSON, and what a template of strings makes is strings.
//
// Input: the template, a zero byte, the paths in lines (a key is its path's number: "k0", "k1"), a
// zero byte, the event.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "banyan/limits.h"
#include "banyan/target.h"
#include "base/check.h"
#include "base/json.h"
#include "deliver/json_path.h"
#include "deliver/target_input.h"

namespace banyan {
namespace {

std::string_view TakeUntil(char end, std::string_view* rest) {
  const size_t at = rest->find(end);
  const std::string_view taken = rest->substr(0, at);
  rest->remove_prefix(at == std::string_view::npos ? rest->size() : at + 1);
  return taken;
}

// One JSON value, or strings only.
bool IsDeliverable(std::string_view text) {
  std::string compact;
  if (internal::CompactJson(text, &compact)) return true;
  while (!text.empty()) {
    internal::JsonReader reader(text);
    const internal::JsonToken token = reader.Next();
    if (token == internal::JsonToken::kEnd) return true;
    if (token != internal::JsonToken::kString) return false;
    text.remove_prefix(reader.position());
  }
  return true;
}

void Run(std::string_view input) {
  const std::string input_template(TakeUntil('\0', &input));
  std::string_view lines = TakeUntil('\0', &input);
  std::map<std::string, std::string> paths;
  while (!lines.empty()) {
    const std::string key = "k" + std::to_string(paths.size());
    paths[key] = TakeUntil('\n', &lines);
  }
  std::string event;
  const bool is_event = internal::CompactJson(input, &event);
  const std::string_view json = is_event ? std::string_view(event) : input;

  for (const auto& [key, path] : paths) {
    const auto parsed = internal::JsonPath::Parse(path);
    if (!parsed.has_value()) continue;
    const std::string_view found = parsed->Find(json);
    if (is_event) {
      BANYAN_CHECK(internal::JsonPathSet({&*parsed, 1}).Find(json).at(0) == found,
                   "a path finds the same alone and in a set");
    }
  }

  const internal::Message message({.body = json});
  const internal::RuleNames rule = {.arn = "arn:aws:events:us-east-1:000000000000:rule/r",
                                    .name = "r"};
  for (const Target& target : {Target(Queue()).InputTransformer(paths, input_template),
                               Target(Queue()).InputPath(paths.empty() ? "$" : paths["k0"]),
                               Target(Queue()).Input(input_template)}) {
    const auto compiled = internal::TargetInput::Compile(target, "t", 1, Limits::Relaxed());
    if (!compiled.ok()) continue;
    const auto text = (*compiled)->Render(message, rule);
    if (!text.ok() || !is_event) continue;
    BANYAN_CHECK(IsDeliverable(*text), "what is delivered is JSON, or strings");
  }
}

}  // namespace
}  // namespace banyan

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  banyan::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
