// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/topology_dot.cc -- floor 6: a topology in Graphviz's language.
// Source  graphviz.org/doc/info/lang.html
#include <string>
#include <string_view>

#include "banyan/topology.h"
#include "base/strings.h"

namespace banyan::inline v0_1 {

namespace {

using internal::StrAppend;
using internal::StrCat;

// In quotes only '"' needs a backslash; but a label reads backslashes, too, so they are doubled.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

std::string_view ShapeOf(TopologyNode::Kind kind) {
  switch (kind) {
    case TopologyNode::Kind::kQueue:
      return "box";
    case TopologyNode::Kind::kTopic:
      return "hexagon";
    case TopologyNode::Kind::kSubscription:
      return "ellipse";
    case TopologyNode::Kind::kEventBus:
      return "parallelogram";
    case TopologyNode::Kind::kRule:
      return "diamond";
    case TopologyNode::Kind::kStream:
      return "cds";
    case TopologyNode::Kind::kFunction:
      return "component";
    case TopologyNode::Kind::kArchive:
      return "cylinder";
    case TopologyNode::Kind::kSchedule:
      return "octagon";
    case TopologyNode::Kind::kConsumer:
    case TopologyNode::Kind::kWorker:
    case TopologyNode::Kind::kMapping:
      return "house";
    case TopologyNode::Kind::kEndpoint:
      return "note";
  }
  return "box";
}

// A subscription's name is a topic's and a UUID; what it wants says more.
std::string LabelOf(const TopologyNode& node) {
  if (node.kind == TopologyNode::Kind::kSubscription) {
    return node.pattern.empty() ? "everything" : node.pattern;
  }
  std::string label = StrCat(TopologyKindName(node.kind), "\n", node.name);
  if (!node.schedule_expression.empty()) StrAppend(&label, "\n", node.schedule_expression);
  return label;
}

std::string_view StyleOf(TopologyEdge::Kind kind) {
  switch (kind) {
    case TopologyEdge::Kind::kHolds:
      return "[arrowhead=none";
    case TopologyEdge::Kind::kDelivers:
    case TopologyEdge::Kind::kRead:
      return "[style=solid";
    case TopologyEdge::Kind::kDeadLetters:
      return "[style=dashed, color=\"#b00020\"";
    case TopologyEdge::Kind::kArchives:
    case TopologyEdge::Kind::kReplays:
      return "[style=dotted";
  }
  return "[";
}

}  // namespace

std::string_view TopologyKindName(TopologyNode::Kind kind) {
  switch (kind) {
    case TopologyNode::Kind::kQueue:
      return "queue";
    case TopologyNode::Kind::kTopic:
      return "topic";
    case TopologyNode::Kind::kSubscription:
      return "subscription";
    case TopologyNode::Kind::kEventBus:
      return "bus";
    case TopologyNode::Kind::kRule:
      return "rule";
    case TopologyNode::Kind::kStream:
      return "stream";
    case TopologyNode::Kind::kFunction:
      return "function";
    case TopologyNode::Kind::kArchive:
      return "archive";
    case TopologyNode::Kind::kSchedule:
      return "schedule";
    case TopologyNode::Kind::kConsumer:
      return "consumer";
    case TopologyNode::Kind::kWorker:
      return "worker";
    case TopologyNode::Kind::kMapping:
      return "mapping";
    case TopologyNode::Kind::kEndpoint:
      return "endpoint";
  }
  return "";
}

std::string TopologyDot(const Topology& topology) {
  std::string dot =
      "digraph banyan {\n"
      "  rankdir=LR;\n"
      "  node [fontname=\"sans-serif\", fontsize=10];\n";
  for (const TopologyNode& node : topology.nodes) {
    StrAppend(&dot, "  ", Quoted(node.arn), " [shape=", ShapeOf(node.kind),
              ", label=", Quoted(LabelOf(node)));
    if (!node.pattern.empty()) StrAppend(&dot, ", tooltip=", Quoted(node.pattern));
    if (node.fifo) StrAppend(&dot, ", peripheries=2");
    if (node.is_gone || !node.enabled) StrAppend(&dot, ", color=gray, fontcolor=gray");
    StrAppend(&dot, "];\n");
  }
  for (const TopologyEdge& edge : topology.edges) {
    StrAppend(&dot, "  ", Quoted(edge.from), " -> ", Quoted(edge.to), " ", StyleOf(edge.kind));
    if (edge.is_gone) StrAppend(&dot, ", label=\"gone\"");
    StrAppend(&dot, "];\n");
  }
  StrAppend(&dot, "}\n");
  return dot;
}

}  // namespace banyan::inline v0_1
