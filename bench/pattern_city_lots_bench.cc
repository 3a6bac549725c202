// SPDX-License-Identifier: Apache-2.0
//
// How fast is an event matched against a handful of rules, beside the least that a look at the
// event costs?
//
// The events are the city lots: 213,068 JSON objects of 916 bytes on average, the workload that
// event-ruler publishes its figures on. The banks are event-ruler's own: five rules each, of one
// operator. After each pass the number of matches of each rule is compared with what event-ruler
// counts; a wrong one ends the program.
//
// Floor, in the same run and in turn with the engine: simdjson on demand, looking up the fields
// that the bank's rules name, in the order in which they stand in the event. It compares nothing.
// COMPLEX_ARRAYS and COMBO are measured against a pass that reads x and y of each vertex.
//
//   hot        the first 64 events over and over: texts and outlines fit the second-level cache
//   streamed   all events in the order of the file, from memory
//   checked    CheckedEvents made before: what a broker matches, since it checks at publish
//   batch      the same, 64 in one call
//   raw        the text alone: the engine must look at all of it, to refuse what is malformed
//
// Targets, as a ratio of `checked` to the floor, streamed: EXACT, PREFIX, SUFFIX and ignoring case
// 1.5; WILDCARD, ANYTHING_BUT, NUMERIC and COMPLEX_ARRAYS 2; COMBO 3. PARTIAL_COMBO has none.
// items_per_second are checked events.
//
// The file: BANYAN_CITY_LOTS names it; else it is looked for in the build folder; else it is made
// there, where its generator and python3 are at hand; else, or with BANYAN_CITY_LOTS=sample, a
// small sample of the same schema takes its place: good for a smoke test and nothing else.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "benchmark/benchmark.h"
#include "laps.h"
#include "simdjson.h"

namespace banyan {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kCityLots = 213'068;
constexpr size_t kWindow = 64;
constexpr size_t kBatch = 64;
constexpr size_t kWindowTurns = 100;  // a pass over the window alone is too short for the clock
constexpr size_t kRulesMax = 45;

// --- The events ----------------------------------------------------------------------------------

class CityLots {
 public:
  // Read at the first call, kept for the run.
  static const CityLots& Get() {
    static const CityLots& lots = *new CityLots();
    return lots;
  }

  absl::Span<const std::string_view> texts() const { return texts_; }
  absl::Span<const CheckedEvent> checked() const { return checked_; }
  bool is_sample() const { return is_sample_; }

 private:
  CityLots() {
    const char* chosen = std::getenv("BANYAN_CITY_LOTS");
    if (chosen != nullptr && std::string_view(chosen) == "sample") {
      UseSample("BANYAN_CITY_LOTS=sample");
    } else if (chosen != nullptr) {
      if (!Read(chosen)) WrongAnswer(std::string(chosen) + " cannot be read");
    } else if (!Read(BANYAN_CITY_LOTS_FILE) && !Make()) {
      UseSample("no file of city lots, and no generator and python3 to make one");
    }
    text_.append(simdjson::SIMDJSON_PADDING, '\0');
    Split();
    if (!is_sample_ && texts_.size() != kCityLots) {
      WrongAnswer("not the file of city lots: it has " + std::to_string(texts_.size()) + " events");
    }
    Announce();
  }

  bool Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return false;
    text_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    where_ = path;
    return true;
  }

  // Under another name first, so that a run that is broken off leaves nothing half made.
  bool Make() {
#ifdef BANYAN_CITY_LOTS_GENERATOR
    const std::string file = BANYAN_CITY_LOTS_FILE;
    const std::string unfinished = file + ".unfinished";
    std::fprintf(stderr, "city lots: making %s\n", file.c_str());
    const std::string command = BANYAN_CITY_LOTS_GENERATOR " '" + unfinished + "' 1>&2";
    return std::system(command.c_str()) == 0 &&
           std::rename(unfinished.c_str(), file.c_str()) == 0 && Read(file);
#else
    return false;
#endif
  }

  void UseSample(const std::string& reason);

  void Split() {
    std::string_view rest(text_.data(), text_.size() - simdjson::SIMDJSON_PADDING);
    while (!rest.empty()) {
      const size_t line = rest.find('\n');
      texts_.push_back(rest.substr(0, line));
      rest.remove_prefix(line == rest.npos ? rest.size() : line + 1);
    }
    checked_.reserve(texts_.size());
    for (std::string_view text : texts_) checked_.push_back(Checked(text));
  }

  void Announce() const {
    size_t outline_bytes = 0;
    for (const CheckedEvent& event : checked_) {
      const auto& jumps = event.outline().jumps;
      outline_bytes += sizeof(event) + jumps.capacity() * sizeof(jumps[0]);
    }
    std::fprintf(stderr,
                 "city lots: %zu events, %zu bytes of text, %zu bytes of outlines, from %s\n",
                 texts_.size(), text_.size(), outline_bytes, where_.c_str());
  }

  std::string where_;
  std::string text_;  // one event a line, padded as simdjson needs it
  std::vector<std::string_view> texts_;
  std::vector<CheckedEvent> checked_;
  bool is_sample_ = false;
};

// Values that the banks ask for and some that they do not, in lots of five to a few dozen vertices.
void CityLots::UseSample(const std::string& reason) {
  std::fprintf(stderr, "city lots: %s. A SMALL SAMPLE TAKES ITS PLACE: NO FIGURE COUNTS\n",
               reason.c_str());
  constexpr std::array<const char*, 8> kLots = {"1430022",  "2607117", "2607218", "3745012",
                                                "VACSTWIL", "1430999", "5001218", "6660000"};
  constexpr std::array<const char*, 9> kStreets = {
      "JEFFERSON", "BEACH", "HYDE", "CHESTNUT", "ACEVEDO", "BLUXOME", "FULTON", "MASON", "IRVING"};
  constexpr std::array<const char*, 4> kTypes = {"\"ST\"", "\"AVE\"", "null", "\"CT\""};
  constexpr std::array<const char*, 5> kFrom = {"441", "442", "1041", "12", "0"};
  static constexpr std::array<const char*, 5> kX = {"-122.42916360922355", "-122.5", "-122.43",
                                                    "-122.41", "-122.37"};
  static constexpr std::array<const char*, 3> kY = {"37.729900216217324", "37.71", "37.8"};
  for (size_t i = 0; i < 256; ++i) {
    const auto vertex = [i](size_t at) {
      return std::string("{\"x\":") + kX[(i + at * (i % 3)) % kX.size()] +
             ",\"y\":" + kY[(i + at) % kY.size()] + ",\"z\":0}";
    };
    const bool multi = i % 7 == 0;
    const std::string lot = kLots[i % kLots.size()];
    const std::string from = kFrom[i % kFrom.size()];
    text_ += R"({"type":"Feature","properties":{"MAPBLKLOT":")" + lot + R"(","BLKLOT":")" + lot +
             R"(","BLOCK_NUM":")" + lot.substr(0, 4) + R"(","LOT_NUM":")" + lot.substr(4) +
             R"(","FROM_ST":")" + from + R"(","TO_ST":")" + from + R"(","STREET":")" +
             kStreets[i % kStreets.size()] + R"(","ST_TYPE":)" + kTypes[i % kTypes.size()] +
             R"(,"ODD_EVEN":"E"},"geometry":{"type":")" + (multi ? "MultiPolygon" : "Polygon") +
             R"(","coordinates":)" + (multi ? "[[" : "[");
    for (size_t at = 0; at < 5 + i % 20; ++at) text_ += (at == 0 ? "" : ",") + vertex(at);
    text_ += std::string(multi ? "]]" : "]") + R"(,"firstCoordinates":)" + vertex(0) + "}}\n";
  }
  where_ = "the program";
  is_sample_ = true;
}

// --- Floors --------------------------------------------------------------------------------------

// Values that are absent, null or of another type leave `sink` as it is.
class Sink {
 public:
  void Text(simdjson::simdjson_result<ondemand::value> value) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) sum_ += text.size();
  }
  void Number(simdjson::simdjson_result<ondemand::value> value) {
    double number = 0;
    if (value.get_double().get(number) == simdjson::SUCCESS) sum_ += number > 0 ? 1 : 0;
  }
  ~Sink() { benchmark::DoNotOptimize(sum_); }

 private:
  size_t sum_ = 0;
};

void LookUpLot(ondemand::object event, Sink& sink) {
  ondemand::object properties = event.find_field("properties").get_object();
  sink.Text(properties.find_field("MAPBLKLOT"));
}

void LookUpStreet(ondemand::object event, Sink& sink) {
  ondemand::object properties = event.find_field("properties").get_object();
  sink.Text(properties.find_field("STREET"));
}

void LookUpStreetAndType(ondemand::object event, Sink& sink) {
  ondemand::object properties = event.find_field("properties").get_object();
  sink.Text(properties.find_field("STREET"));
  sink.Text(properties.find_field("ST_TYPE"));
}

void LookUpFirstVertex(ondemand::object event, Sink& sink) {
  ondemand::object geometry = event.find_field("geometry").get_object();
  sink.Text(geometry.find_field("type"));
  ondemand::object first = geometry.find_field("firstCoordinates").get_object();
  sink.Number(first.find_field("x"));
  sink.Number(first.find_field("z"));
}

void LookUpFourTexts(ondemand::object event, Sink& sink) {
  ondemand::object properties = event.find_field("properties").get_object();
  sink.Text(properties.find_field("FROM_ST"));
  sink.Text(properties.find_field("STREET"));
  sink.Text(properties.find_field("ST_TYPE"));
  ondemand::object geometry = event.find_field("geometry").get_object();
  sink.Text(geometry.find_field("type"));
}

void LookUpAllButVertices(ondemand::object event, Sink& sink) {
  ondemand::object properties = event.find_field("properties").get_object();
  sink.Text(properties.find_field("MAPBLKLOT"));
  sink.Text(properties.find_field("FROM_ST"));
  sink.Text(properties.find_field("STREET"));
  sink.Text(properties.find_field("ST_TYPE"));
  LookUpFirstVertex(event, sink);
}

// A MultiPolygon's vertices lie one array deeper.
void ReadVertices(ondemand::array elements, Sink& sink) {
  for (ondemand::value element : elements) {
    if (element.type() == ondemand::json_type::array) {
      ReadVertices(element.get_array(), sink);
      continue;
    }
    ondemand::object vertex = element.get_object();
    sink.Number(vertex.find_field("x"));
    sink.Number(vertex.find_field("y"));
  }
}

void LookUpVertices(ondemand::object event, Sink& sink) {
  ondemand::object geometry = event.find_field("geometry").get_object();
  sink.Text(geometry.find_field("type"));
  ReadVertices(geometry.find_field("coordinates").get_array(), sink);
}

// The texts lie in one buffer with padding at its end, so each may be read beyond its own.
simdjson::padded_string_view Padded(std::string_view text) {
  return simdjson::padded_string_view(text.data(), text.size(),
                                      text.size() + simdjson::SIMDJSON_PADDING);
}

using FloorPass = void (*)(absl::Span<const std::string_view> texts, ondemand::parser& parser);

template <auto kLookUp>
void FloorOver(absl::Span<const std::string_view> texts, ondemand::parser& parser) {
  Sink sink;
  for (std::string_view text : texts) {
    ondemand::document document = parser.iterate(Padded(text));
    kLookUp(document.get_object(), sink);
  }
}

// --- Banks ---------------------------------------------------------------------------------------

struct Rule {
  std::string pattern;
  int64_t matches;  // in all city lots, as event-ruler counts them
};

struct Bank {
  const char* name;
  std::vector<Rule> rules;
  FloorPass floor;
  double ratio_max;  // 0: none is set
};

std::string Property(const std::string& key, const std::string& condition) {
  return R"({"properties":{")" + key + R"(":[)" + condition + "]}}";
}

std::string Geometry(const std::string& condition) { return R"({"geometry":{)" + condition + "}}"; }

// The same operator on other texts: {"prefix":"AC"}, {"anything-but":{"prefix":"AC"}}, ...
std::string Apply(const std::string& before, const std::string& text, const std::string& after) {
  return before + '"' + text + '"' + after;
}

using Texts = std::array<const char*, 5>;
using Matches = std::array<int64_t, 5>;

std::vector<Rule> OnOneProperty(const std::string& key, const std::string& before,
                                const Texts& texts, const std::string& after,
                                const Matches& matches) {
  std::vector<Rule> rules;
  for (size_t i = 0; i < texts.size(); ++i) {
    rules.push_back({Property(key, Apply(before, texts[i], after)), matches[i]});
  }
  return rules;
}

std::vector<Rule> AnythingBut(const std::string& before, const Texts& texts,
                              const std::string& after, const Matches& matches) {
  const auto condition = [&](size_t i) {
    return R"({"anything-but":)" + Apply(before, texts[i], after) + "}";
  };
  return {
      {Property("STREET", condition(0)), matches[0]},
      {Property("STREET", condition(1)), matches[1]},
      {Property("ST_TYPE", condition(2)), matches[2]},
      {Geometry(R"("type":[)" + condition(3) + "]"), matches[3]},
      {Property("FROM_ST", condition(4)), matches[4]},
  };
}

std::vector<Rule> EqualsIgnoreCase() {
  const auto condition = [](const char* text) {
    return Apply(R"({"equals-ignore-case":)", text, "}");
  };
  return {{Property("STREET", condition("jefferson")), 131},
          {Property("STREET", condition("bEaCh")), 211},
          {Property("STREET", condition("HyDe")), 1'758},
          {Property("STREET", condition("CHESTNUT")), 825},
          {Property("ST_TYPE", condition("st")), 116'386}};
}

// On the first vertex, or on all of them.
std::vector<Rule> OnVertices(const std::string& vertex, const std::string& second,
                             const Matches& matches) {
  const auto on_x = [&](const char* condition) {
    return Geometry('"' + vertex + R"(":{"x":[{"numeric":[)" + condition + "]}]}");
  };
  return {
      {Geometry(R"("type":["Polygon"],")" + vertex +
                R"(":{"x":[{"numeric":["=",-122.42916360922355]}]})"),
       matches[0]},
      {Geometry(R"("type":["MultiPolygon"],")" + vertex + R"(":{)" + second + "}"), matches[1]},
      {on_x(R"("<",-122.41600944012424)"), matches[2]},
      {on_x(R"(">",-122.41600944012424)"), matches[3]},
      {on_x(R"(">",-122.46471267081272,"<",-122.4063085128395)"), matches[4]},
  };
}

void Append(std::vector<Rule>& all, const std::vector<Rule>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

std::vector<Bank> MakeBanks() {
  const Texts lots = {"1430022", "2607117", "2607218", "3745012", "VACSTWIL"};
  const Texts lot_wildcards = {"143*", "2*0*1*7", "*218", "3*5*2", "VA*IL"};
  const Matches of_prefixes = {24, 442, 38, 2'387, 328};
  const Matches of_suffixes = {17'921, 871, 13, 1'963, 682};

  const auto exact = OnOneProperty("MAPBLKLOT", "", lots, "", {1, 101, 35, 655, 1});
  const auto prefix =
      OnOneProperty("STREET", R"({"prefix":)", {"AC", "BL", "DR", "FU", "RH"}, "}", of_prefixes);
  const auto numeric = OnVertices("firstCoordinates", R"("z":[{"numeric":["=",0]}])",
                                  {2, 120, 148'948, 64'120, 127'053});
  const auto arrays = OnVertices("coordinates", R"("y":[{"numeric":["=",37.729900216217324]}])",
                                 {218, 1, 149'446, 64'368, 127'485});
  const auto anything_but = AnythingBut("[", {"FULTON", "MASON", "ST", "Polygon", "441"}, "]",
                                        {211'158, 210'411, 96'682, 120, 210'615});
  const auto anything_but_ignore_case =
      AnythingBut(R"({"equals-ignore-case":)", {"Fulton", "Mason", "st", "polygon", "441"}, "}",
                  {211'158, 210'411, 96'682, 120, 210'615});
  const auto anything_but_prefix =
      AnythingBut(R"({"prefix":)", {"FULTO", "MASO", "S", "Poly", "44"}, "}",
                  {211'158, 210'118, 96'667, 120, 209'091});
  const auto anything_but_suffix =
      AnythingBut(R"({"suffix":)", {"ULTON", "ASON", "T", "olygon", "41"}, "}",
                  {211'136, 210'411, 94'908, 0, 209'055});
  const auto anything_but_wildcard =
      OnOneProperty("MAPBLKLOT", R"({"anything-but":{"wildcard":)", lot_wildcards, "}}",
                    {212'578, 212'355, 213'025, 210'528, 213'067});

  std::vector<Rule> partial_combo = numeric;
  for (const auto* bank : {&exact, &prefix, &anything_but, &anything_but_ignore_case,
                           &anything_but_prefix, &anything_but_suffix, &anything_but_wildcard}) {
    Append(partial_combo, *bank);
  }
  std::vector<Rule> combo = partial_combo;
  Append(combo, arrays);

  return {
      {"EXACT", exact, FloorOver<LookUpLot>, 1.5},
      {"WILDCARD",
       OnOneProperty("MAPBLKLOT", R"({"wildcard":)", lot_wildcards, "}", {490, 713, 43, 2'540, 1}),
       FloorOver<LookUpLot>, 2},
      {"PREFIX", prefix, FloorOver<LookUpStreet>, 1.5},
      {"PREFIX_EIC",
       OnOneProperty("STREET", R"({"prefix":{"equals-ignore-case":)",
                     {"Ac", "bL", "dR", "Fu", "rH"}, "}}", of_prefixes),
       FloorOver<LookUpStreet>, 1.5},
      {"SUFFIX",
       OnOneProperty("STREET", R"({"suffix":)", {"ON", "KE", "MM", "ING", "GO"}, "}", of_suffixes),
       FloorOver<LookUpStreet>, 1.5},
      {"SUFFIX_EIC",
       OnOneProperty("STREET", R"({"suffix":{"equals-ignore-case":)",
                     {"oN", "Ke", "mM", "InG", "gO"}, "}}", of_suffixes),
       FloorOver<LookUpStreet>, 1.5},
      {"EQUALS_IGNORE_CASE", EqualsIgnoreCase(), FloorOver<LookUpStreetAndType>, 1.5},
      {"NUMERIC", numeric, FloorOver<LookUpFirstVertex>, 2},
      {"COMPLEX_ARRAYS", arrays, FloorOver<LookUpVertices>, 2},
      {"ANYTHING_BUT", anything_but, FloorOver<LookUpFourTexts>, 2},
      {"ANYTHING_BUT_IGNORE_CASE", anything_but_ignore_case, FloorOver<LookUpFourTexts>, 2},
      {"ANYTHING_BUT_PREFIX", anything_but_prefix, FloorOver<LookUpFourTexts>, 2},
      {"ANYTHING_BUT_SUFFIX", anything_but_suffix, FloorOver<LookUpFourTexts>, 2},
      {"ANYTHING_BUT_WILDCARD", anything_but_wildcard, FloorOver<LookUpLot>, 2},
      {"PARTIAL_COMBO", partial_combo, FloorOver<LookUpAllButVertices>, 0},
      {"COMBO", combo, FloorOver<LookUpVertices>, 3},
  };
}

// --- One bank ------------------------------------------------------------------------------------

// Matches of each rule of a bank.
class Tally {
 public:
  static std::string Id(size_t rule) { return std::string(1, static_cast<char>('0' + rule)); }

  void Count(std::string_view id) { ++matches_[static_cast<size_t>(id[0] - '0')]; }

  void Add(size_t rule, int64_t matches) { matches_[rule] += matches; }

  void Expect(const Bank& bank, const Tally& expected) const {
    for (size_t i = 0; i < bank.rules.size(); ++i) {
      if (matches_[i] == expected.matches_[i]) continue;
      WrongAnswer(std::string(bank.name) + ": " + bank.rules[i].pattern + " matches " +
                  std::to_string(matches_[i]) + " times instead of " +
                  std::to_string(expected.matches_[i]));
    }
  }

 private:
  std::array<int64_t, kRulesMax> matches_ = {};
};

enum class From { kCache, kMemory };

// All city lots: event-ruler's counts. A window or the sample: what the interpreter says.
Tally Expected(const Bank& bank, absl::Span<const std::string_view> texts, size_t turns) {
  Tally expected;
  for (size_t i = 0; i < bank.rules.size(); ++i) {
    if (texts.size() == kCityLots) {
      expected.Add(i, bank.rules[i].matches);
      continue;
    }
    const EventPattern pattern = EventPattern::Parse(bank.rules[i].pattern).value();
    for (std::string_view text : texts) {
      if (pattern.Matches(text)) expected.Add(i, static_cast<int64_t>(turns));
    }
  }
  return expected;
}

void BM_CityLots(benchmark::State& state, const Bank& bank, From from) {
  const CityLots& lots = CityLots::Get();
  const size_t window = from == From::kCache ? kWindow : lots.texts().size();
  const size_t turns = from == From::kCache && !lots.is_sample() ? kWindowTurns : 1;
  const absl::Span<const std::string_view> texts = lots.texts().first(window);
  const absl::Span<const CheckedEvent> checked = lots.checked().first(window);
  if (lots.is_sample()) state.SetLabel("sample");

  RuleSet rules;
  for (size_t i = 0; i < bank.rules.size(); ++i) {
    PutRule(rules, Tally::Id(i), bank.rules[i].pattern);
  }
  const Tally expected = Expected(bank, texts, turns);
  const auto match_all = [&](const auto& events) {
    Tally tally;
    for (size_t turn = 0; turn < turns; ++turn) {
      for (const auto& event : events) {
        rules.Match(event, [&tally](std::string_view id) { tally.Count(id); });
      }
    }
    tally.Expect(bank, expected);
  };

  const auto match_batches = [&] {
    Tally tally;
    for (size_t turn = 0; turn < turns; ++turn) {
      for (size_t begin = 0; begin < checked.size(); begin += kBatch) {
        rules.Match(checked.subspan(begin, kBatch),
                    [&tally](size_t, std::string_view id) { tally.Count(id); });
      }
    }
    tally.Expect(bank, expected);
  };

  ondemand::parser parser;
  Laps floor;
  Laps ours;
  Laps ours_batch;
  Laps ours_raw;
  const size_t events = texts.size() * turns;
  for (auto _ : state) {
    floor.Time(events, [&] {
      for (size_t turn = 0; turn < turns; ++turn) bank.floor(texts, parser);
    });
    state.SetIterationTime(ours.Time(events, [&] { match_all(checked); }));
    ours_batch.Time(events, match_batches);
    ours_raw.Time(events, [&] { match_all(texts); });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(events));
  state.counters["floor_ns"] = floor.Median();
  state.counters["checked_ns"] = ours.Median();
  state.counters["raw_ns"] = ours_raw.Median();
  state.counters["ratio"] = ours.Median() / floor.Median();
  state.counters["batch_ns"] = ours_batch.Median();
  state.counters["batch_ratio"] = ours_batch.Median() / floor.Median();
  state.counters["raw_ratio"] = ours_raw.Median() / floor.Median();
  // The targets are for events that come from memory.
  if (bank.ratio_max > 0 && from == From::kMemory) state.counters["ratio_max"] = bank.ratio_max;
}

// What a broker pays once per event, at publish: the look at every byte that makes a text a
// CheckedEvent. Floor: simdjson parsing it into its tree, which looks at every byte as well.
void BM_Check(benchmark::State& state, From from) {
  const CityLots& lots = CityLots::Get();
  const size_t window = from == From::kCache ? kWindow : lots.texts().size();
  const size_t turns = from == From::kCache && !lots.is_sample() ? kWindowTurns : 1;
  const absl::Span<const std::string_view> texts = lots.texts().first(window);
  if (lots.is_sample()) state.SetLabel("sample");

  simdjson::dom::parser parser;
  Laps floor;
  Laps ours;
  const size_t events = texts.size() * turns;
  for (auto _ : state) {
    floor.Time(events, [&] {
      for (size_t turn = 0; turn < turns; ++turn) {
        for (std::string_view text : texts) {
          benchmark::DoNotOptimize(parser.parse(text.data(), text.size(), false).error());
        }
      }
    });
    state.SetIterationTime(ours.Time(events, [&] {
      for (size_t turn = 0; turn < turns; ++turn) {
        for (std::string_view text : texts) benchmark::DoNotOptimize(CheckedEvent::Check(text));
      }
    }));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(events));
  state.counters["floor_ns"] = floor.Median();
  state.counters["check_ns"] = ours.Median();
  state.counters["ratio"] = ours.Median() / floor.Median();
}

[[maybe_unused]] const bool registered = [] {
  static const std::vector<Bank>& banks = *new std::vector<Bank>(MakeBanks());
  for (const From from : {From::kCache, From::kMemory}) {
    const std::string suffix = from == From::kCache ? "hot" : "streamed";
    for (const Bank& bank : banks) {
      const std::string name = std::string("BM_CityLots/") + bank.name + "/" + suffix;
      benchmark::RegisterBenchmark(
          name.c_str(), [&bank, from](benchmark::State& state) { BM_CityLots(state, bank, from); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
    const std::string name = std::string("BM_Check/") + suffix;
    benchmark::RegisterBenchmark(name.c_str(),
                                 [from](benchmark::State& state) { BM_Check(state, from); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace banyan
