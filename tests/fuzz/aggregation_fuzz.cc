// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a record's data, and as the message of an aggregated record whose frame is right: no
// crash, the same answer as the naive decoder's, and what was read can be packed and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/aggregation.h"
#include "base/check.h"
#include "stream/aggregate_format.h"
#include "stream/naive_aggregate.h"

namespace banyan {
namespace {

using internal::AggregateReader;
using testing::NaiveRecord;

std::vector<NaiveRecord> Copy(const AggregateReader& reader) {
  std::vector<NaiveRecord> copies;
  for (const AggregateReader::Part& part : reader.parts()) {
    NaiveRecord& copy = copies.emplace_back();
    copy.partition_key = part.partition_key;
    copy.explicit_hash_key = part.explicit_hash_key;
    copy.data = part.data;
    for (const SubRecordTag& tag : internal::TagsOf(part.message)) {
      copy.tags.emplace_back(tag.key, tag.value);
    }
  }
  return copies;
}

void RunRecord(const std::string& data) {
  AggregateReader reader;
  const bool is_aggregated = reader.Read(data);
  const auto expected = testing::NaiveDecode(data);
  BANYAN_CHECK(is_aggregated == expected.has_value(), "both say what is an aggregated record");
  if (!is_aggregated) return;
  reader.HashPartitionKeys();
  BANYAN_CHECK(Copy(reader) == *expected, "both find the same in it");

  Aggregator pack({.bytes_max = int64_t{1} << 40, .records_max = int64_t{1} << 40});
  for (const AggregateReader::Part& part : reader.parts()) {
    const std::vector<SubRecordTag> tags = internal::TagsOf(part.message);
    // Readers are not as strict: keys may be empty, and need not be UTF-8.
    if (!pack.Add({.partition_key = part.partition_key,
                   .data = part.data,
                   .explicit_hash_key = part.explicit_hash_key,
                   .tags = tags})
             .ok()) {
      return;
    }
  }
  const std::string again(pack.Request().data);
  if (pack.records() < 2) return;  // one alone may go as it is
  AggregateReader second;
  BANYAN_CHECK(second.Read(again), "what was packed can be read");
  BANYAN_CHECK(Copy(second) == *expected, "what was packed comes out again");
}

void Run(const std::string& input) {
  RunRecord(input);
  RunRecord(testing::NaiveFrame(input));
}

}  // namespace
}  // namespace banyan

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  banyan::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
