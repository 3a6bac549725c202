// SPDX-License-Identifier: Apache-2.0
#include "queue/policy_text.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "queue/json_members.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kStatement = "Statement";

}  // namespace

std::optional<PolicyText> ReadPolicy(std::string_view text) {
  const std::optional<std::vector<JsonMember>> members = ReadJsonObject(text);
  if (!members.has_value()) return std::nullopt;
  PolicyText policy;
  for (const JsonMember& member : *members) {
    if (member.name != kStatement) policy.others.emplace_back(member.name, member.raw);
  }
  const JsonMember* statement = FindMember(*members, kStatement);
  if (statement == nullptr) return policy;
  if (statement->kind == JsonToken::kStartObject) {
    policy.statements.push_back(statement->raw);
    return policy;
  }
  const std::optional<std::vector<JsonMember>> list = ReadJsonArray(statement->raw);
  if (!list.has_value()) return std::nullopt;
  for (const JsonMember& one : *list) {
    if (one.kind != JsonToken::kStartObject) return std::nullopt;
    policy.statements.push_back(one.raw);
  }
  return policy;
}

std::string WritePolicy(const PolicyText& policy) {
  std::string text = "{";
  for (const auto& [name, value] : policy.others) {
    StrAppend(&text, JsonString(name), ":", value, ",");
  }
  StrAppend(&text, JsonString(kStatement), ":[");
  for (size_t i = 0; i < policy.statements.size(); ++i) {
    StrAppend(&text, i == 0 ? "" : ",", policy.statements[i]);
  }
  text += "]}";
  return text;
}

bool HasSid(std::string_view statement, std::string_view sid) {
  const std::optional<std::vector<JsonMember>> members = ReadJsonObject(statement);
  if (!members.has_value()) return false;
  const JsonMember* member = FindMember(*members, "Sid");
  return member != nullptr && member->kind == JsonToken::kString && member->text == sid;
}

bool IsAccount(std::string_view text) {
  return text.size() == 12 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string AccountPrincipal(std::string_view account) {
  return StrCat("arn:aws:iam::", account, ":root");
}

std::string OneOrMany(const std::vector<std::string>& values) {
  std::string text = values.size() == 1 ? "" : "[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text.push_back(',');
    AppendJsonString(&text, values[i]);
  }
  if (values.size() != 1) text.push_back(']');
  return text;
}

std::string PermissionStatement(std::string_view sid, absl::Span<const std::string> accounts,
                                const std::vector<std::string>& actions,
                                std::string_view resource_arn) {
  std::vector<std::string> principals;
  for (const std::string& account : accounts) principals.push_back(AccountPrincipal(account));
  return StrCat("{\"Sid\":", JsonString(sid),
                ",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":", OneOrMany(principals),
                "},\"Action\":", OneOrMany(actions), ",\"Resource\":", JsonString(resource_arn),
                "}");
}

}  // namespace banyan::inline v0_1::internal
