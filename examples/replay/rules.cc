// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <utility>

#include "absl/status/status.h"
#include "rapidjson/document.h"
#include "rapidjson/error/en.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace replay {
namespace {

std::string Text(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

std::string ToJson(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

absl::StatusOr<TargetSpec> ParseTarget(const rapidjson::Value& json) {
  if (!json.IsObject()) return absl::InvalidArgumentError("a target must be an object");
  TargetSpec target;
  for (const auto& member : json.GetObject()) {
    const std::string key = Text(member.name);
    if (!member.value.IsString()) return absl::InvalidArgumentError(key + " must be a string");
    if (key == "queue" || key == "stream") {
      if (!target.name.empty()) return absl::InvalidArgumentError("a target has one name");
      target.kind = key == "queue" ? TargetSpec::Kind::kQueue : TargetSpec::Kind::kStream;
      target.name = Text(member.value);
    } else if (key == "partition_key") {
      target.partition_key_path = Text(member.value);
    } else {
      return absl::InvalidArgumentError("a target has no member " + key);
    }
  }
  if (target.name.empty()) {
    return absl::InvalidArgumentError("a target must name a queue or a stream");
  }
  if (target.kind == TargetSpec::Kind::kQueue && !target.partition_key_path.empty()) {
    return absl::InvalidArgumentError("only a stream has a partition_key");
  }
  return target;
}

absl::StatusOr<RuleSpec> ParseRule(const rapidjson::Value& json) {
  if (!json.IsObject()) return absl::InvalidArgumentError("not an object");
  RuleSpec rule;
  for (const auto& member : json.GetObject()) {
    const std::string key = Text(member.name);
    const rapidjson::Value& value = member.value;
    if (key == "name" || key == "description") {
      if (!value.IsString()) return absl::InvalidArgumentError(key + " must be a string");
      (key == "name" ? rule.name : rule.description) = Text(value);
    } else if (key == "pattern") {
      rule.pattern = ToJson(value);  // the library says what is wrong with it, if anything is
    } else if (key == "target") {
      if (!value.IsArray()) {
        absl::StatusOr<TargetSpec> target = ParseTarget(value);
        if (!target.ok()) return target.status();
        rule.targets.push_back(*std::move(target));
        continue;
      }
      for (const rapidjson::Value& element : value.GetArray()) {
        absl::StatusOr<TargetSpec> target = ParseTarget(element);
        if (!target.ok()) return target.status();
        rule.targets.push_back(*std::move(target));
      }
    } else {
      return absl::InvalidArgumentError("a rule has no member " + key);
    }
  }
  if (rule.name.empty()) return absl::InvalidArgumentError("name is missing");
  if (rule.pattern.empty()) return absl::InvalidArgumentError("pattern is missing");
  if (rule.targets.empty()) return absl::InvalidArgumentError("target is missing");
  return rule;
}

}  // namespace

absl::StatusOr<std::vector<RuleSpec>> ParseRules(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) {
    return absl::InvalidArgumentError("byte " + std::to_string(document.GetErrorOffset() + 1) +
                                      ": " + rapidjson::GetParseError_En(document.GetParseError()));
  }
  if (!document.IsArray()) return absl::InvalidArgumentError("not an array of rules");

  std::vector<RuleSpec> rules;
  for (const rapidjson::Value& element : document.GetArray()) {
    absl::StatusOr<RuleSpec> rule = ParseRule(element);
    if (!rule.ok()) {
      return absl::InvalidArgumentError("rule " + std::to_string(rules.size() + 1) + ": " +
                                        std::string(rule.status().message()));
    }
    rules.push_back(*std::move(rule));
  }
  return rules;
}

}  // namespace replay
