#include "sim/history/check.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "sim/history/graph.h"
#include "sim/history/versions.h"

namespace lightning::sim::history {

std::string_view name_of(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::kDirtyWrite:
      return "dirty write (G0)";
    case Anomaly::kAbortedRead:
      return "aborted read (G1a)";
    case Anomaly::kIntermediateRead:
      return "intermediate read (G1b)";
    case Anomaly::kCircularInformation:
      return "circular information flow (G1c)";
    case Anomaly::kLostUpdate:
      return "lost update (P4)";
    case Anomaly::kReadSkew:
      return "read skew (G-single)";
    case Anomaly::kLongFork:
      return "long fork";
    case Anomaly::kWriteSkew:
      return "write skew (G2-item)";
    case Anomaly::kPhantomSkew:
      return "write skew by phantoms (G2)";
    case Anomaly::kOwnWrites:
      return "own write not seen";
    case Anomaly::kUnknownVersion:
      return "version that nobody wrote";
    case Anomaly::kOrder:
      return "no order of versions";
    case Anomaly::kSession:
      return "violation of a session's order";
    case Anomaly::kRealTime:
      return "violation of real time";
    case Anomaly::kSequence:
      return "violation of the order of sequences";
  }
  return "?";
}

namespace {

constexpr Point kNoPoint = ~0u;

class Judge {
 public:
  // `level`: none: each transaction's own.
  Judge(const History& history, std::optional<Isolation> level) : history_(history), versions_(history, findings_) {
    place(level);
    for (EntryIndex e = 0; e < placed_.size(); ++e) add_reads(e);
    if (history.after) add_after();
    add_orders();
    add_reads_edges();
    add_clients();
    add_time();
  }

  std::vector<Finding> verdict() {
    for (const EdgeKind last : {EdgeKind::kRangeRw, EdgeKind::kProcess, EdgeKind::kTime, EdgeKind::kSequence}) {
      const auto cycles = graph().cycles(last);
      for (const auto& cycle : cycles) findings_.push_back({classify(cycle), describe(cycle)});
      if (!cycles.empty()) break;
    }
    return std::move(findings_);
  }
  std::set<Anomaly> anomalies() {
    std::set<Anomaly> all;
    for (const Finding& finding : findings_) all.insert(finding.anomaly);
    for (const auto& cycle : graph().cycles(EdgeKind::kRangeRw)) all.insert(classify(cycle));
    return all;
  }

 private:
  // An entry among the points.
  struct Placed {
    Isolation level = Isolation::kSnapshot;
    Point first = 0, last = 0;  // all of its points
    Point commit = kNoPoint;    // none: it did not commit, or that cannot be told from its reads
    Point reads = kNoPoint;     // at kReadCommitted: one more for each operation that reads
  };
  struct Span {  // a point lies between two moments
    Moment from, to;
    EntryIndex entry;
  };
  struct Read {
    EntryIndex reader;
    Point point, holds_until;  // kNoPoint: it need not hold
    Key key;
    std::size_t position;  // among the links of the key
    Version version;       // of a writer that has no place among the links; else kAbsent
    bool by_range;
    std::vector<EntryIndex> beside;  // who never heard of their commits, and are in it (kSums)
  };

  Graph graph() const {
    Graph graph(static_cast<Point>(spans_.size()));
    for (const Edge& edge : edges_)
      if (edge.from != edge.to) graph.add(edge);
    return graph;
  }
  const Entry& entry(EntryIndex e) const { return *versions_.entries()[e]; }
  std::string title(EntryIndex e) const {
    if (e == kStart) return "what was found afterwards";
    std::string text = "client " + std::to_string(entry(e).client) + "'s transaction that began at " +
                       std::to_string(entry(e).begin_invoked);
    if (entry(e).sequence != 0) text += " (sequence " + std::to_string(entry(e).sequence) + ")";
    return text;
  }
  void find(Anomaly anomaly, EntryIndex e, const std::string& what) {
    findings_.push_back({anomaly, title(e) + " " + what});
  }

  // --- points
  Point add_point(Moment from, Moment to, EntryIndex e) {
    spans_.push_back({from, to, e});
    return static_cast<Point>(spans_.size() - 1);
  }

  void place(std::optional<Isolation> level) {
    placed_.resize(versions_.entries().size());
    for (EntryIndex e = 0; e < placed_.size(); ++e) {
      const Entry& entry = this->entry(e);
      Placed& placed = placed_[e];
      const bool commits = versions_.committed(e);
      placed.level = entry.plain ? entry.level : level.value_or(entry.level);
      // What a failed transaction has read was of one moment all the same.
      if (!commits && placed.level == Isolation::kSerializable) placed.level = Isolation::kSnapshot;
      placed.first = static_cast<Point>(spans_.size());
      switch (placed.level) {
        case Isolation::kSerializable:
          placed.reads = placed.commit = add_point(entry.begin_invoked, entry.end_completed, e);
          break;
        case Isolation::kSnapshot: {
          const bool fixed = entry.mode == Concurrency::kOptimistic && !entry.plain;
          placed.reads = add_point(entry.begin_invoked, fixed ? entry.begin_completed : entry.end_completed, e);
          if (commits) placed.commit = add_point(entry.end_invoked, entry.end_completed, e);
          break;
        }
        case Isolation::kReadCommitted: {
          for (const Operation& operation : entry.operations)
            if (operation.reads()) add_point(operation.invoked, operation.completed, e);
          placed.reads = placed.first;
          const bool writes = !versions_.final_writes(e).empty();
          if (commits && (writes || !entry.plain)) placed.commit = add_point(entry.end_invoked, entry.end_completed, e);
          break;
        }
      }
      placed.last = static_cast<Point>(spans_.size()) - 1;
      if (spans_.size() == placed.first) placed.last = placed.first = kNoPoint;
      if (placed.first == kNoPoint || placed.commit == kNoPoint) continue;
      for (Point point = placed.first; point < placed.commit; ++point)
        edges_.push_back({point, placed.commit, EdgeKind::kInside});
    }
  }

  // --- reads
  void add_reads(EntryIndex e) {
    const Entry& entry = this->entry(e);
    const Placed& placed = placed_[e];
    std::map<Key, Own> mine;
    Point point = placed.reads;
    for (std::size_t i = 0; i < entry.operations.size(); ++i) {
      const Operation& operation = entry.operations[i];
      if (operation.writes() || operation.kind == Operation::Kind::kUndo) mine = own_writes(entry, i + 1);
      if (!operation.reads()) continue;
      const Point at = point;
      if (placed.level == Isolation::kReadCommitted) ++point;
      if (operation.completed == kNever) continue;  // never answered
      const bool for_update = operation.kind == Operation::Kind::kReadForUpdate;
      const Point holds = for_update ? placed.commit : kNoPoint;
      for (const Found& found : operation.found) {
        const auto own = mine.find(found.key);
        if (own == mine.end()) {
          add_found(e, at, holds, found, operation);
        } else if (!has_own(found, own->second)) {
          find(Anomaly::kOwnWrites, e,
               "has written " + std::to_string(own->second.version) + " to " + name_of(found.key) + " and read " +
                   std::to_string(found.version));
        } else if (!own->second.whole) {
          add_found(e, at, holds, beneath(found, own->second), operation);
        }
      }
      if (operation.kind == Operation::Kind::kScan) add_gaps(e, at, mine, operation);
    }
  }
  void add_found(EntryIndex e, Point at, Point holds, const Found& found, const Operation& operation) {
    const std::size_t before = reads_.size();
    add_read(e, at, holds, found.key, found.version, false, operation);
    if (reads_.size() > before) reads_.back().beside = beside(found);
    check_list(e, found);
    if (const std::string wrong = wrong_parts(versions_, history_, found); !wrong.empty())
      find(Anomaly::kOrder, e,
           "has read " + std::to_string(found.version) + " at " + name_of(found.key) + ", " + wrong);
  }
  // What it merged is at the end of what it reads, in order.
  static bool has_own(const Found& found, const Own& own) {
    if (found.version != own.version) return false;
    if (found.list.empty()) return own.parts.size() <= 1 && own.whole;
    return found.list.size() >= own.parts.size() &&
           std::equal(own.parts.rbegin(), own.parts.rend(), found.list.rbegin());
  }
  // What others had written, and it has merged into.
  static Found beneath(const Found& found, const Own& own) {
    Found below = found;
    below.list.resize(below.list.size() - own.parts.size());
    below.version = below.list.empty() ? kAbsent : below.list.back();
    return below;
  }
  std::vector<EntryIndex> beside(const Found& found) const {
    std::vector<EntryIndex> entries;
    if (table_of(found.key) != kSums) return entries;
    for (const Version version : found.list)
      if (const Writer* writer = versions_.writer_of(version)) entries.push_back(writer->entry);
    return entries;
  }

  // What a scan passed over and did not find.
  void add_gaps(EntryIndex e, Point at, const std::map<Key, Own>& mine, const Operation& operation) {
    std::set<Key> present;
    for (const Found& found : operation.found) present.insert(found.key);
    const auto& orders = versions_.orders();
    for (auto it = orders.lower_bound(operation.from); it != orders.end() && it->first < operation.to; ++it) {
      if (present.contains(it->first)) continue;
      const auto own = mine.find(it->first);
      if (own == mine.end()) {
        add_read(e, at, kNoPoint, it->first, kAbsent, true, operation);
      } else if (own->second.version != kAbsent) {
        find(Anomaly::kOwnWrites, e, "has written " + name_of(it->first) + " and not found it in a range");
      }
    }
  }

  void check_list(EntryIndex e, const Found& found) {
    for (const Version version : found.list) {
      const Writer* writer = versions_.writer_of(version);
      if (writer == nullptr) {
        find(Anomaly::kUnknownVersion, e, "has read " + std::to_string(version) + " in the list " + name_of(found.key));
      } else if (writer->entry != kStart && entry(writer->entry).outcome == Outcome::kAborted) {
        find(Anomaly::kAbortedRead, e,
             "has read " + std::to_string(version) + " in the list " + name_of(found.key) + ", rolled back by " +
                 title(writer->entry));
      }
    }
  }

  void add_read(EntryIndex e, Point at, Point holds, Key key, Version version, bool by_range,
                const Operation& operation) {
    const Order& order = versions_.orders().at(key);
    if (version == kUnresolved)
      return find(Anomaly::kUnknownVersion, e, "has read a number at " + name_of(key) + " that no additions make");
    if (version == kAbsent) {
      const Moment from = placed_[e].level == Isolation::kReadCommitted ? operation.invoked : entry(e).begin_invoked;
      const auto position = absence(key, order, from, operation.completed);
      if (!position) return;
      if (*position == order.links.size())
        return find(Anomaly::kUnknownVersion, e, "has not found " + name_of(key) + ", which was there");
      reads_.push_back({e, at, holds, key, *position, kAbsent, by_range, {}});
      return;
    }
    const Writer* writer = versions_.writer_of(version);
    if (writer == nullptr || writer->key != key || writer->erase)
      return find(Anomaly::kUnknownVersion, e, "has read " + std::to_string(version) + " at " + name_of(key));
    if (writer->entry != kStart && entry(writer->entry).outcome == Outcome::kAborted)
      return find(
          Anomaly::kAbortedRead, e,
          "has read " + std::to_string(version) + " at " + name_of(key) + ", rolled back by " + title(writer->entry));
    if (!writer->final)
      return find(
          Anomaly::kIntermediateRead, e,
          "has read " + std::to_string(version) + " at " + name_of(key) + ", not the last of " + title(writer->entry));
    if (writer->entry == e)
      return find(Anomaly::kUnknownVersion, e,
                  "has read " + std::to_string(version) + " at " + name_of(key) + " before it wrote it");
    const std::size_t position = versions_.position(order, version);
    reads_.push_back({e, at, holds, key, position, position == order.links.size() ? version : kAbsent, by_range, {}});
  }

  // Which absence of a key was seen: at the start, or after one of its erasures. None: that cannot be told.
  // links.size(): it was there all the time.
  std::optional<std::size_t> absence(Key key, const Order& order, Moment from, Moment to) const {
    std::optional<std::size_t> only;
    if (versions_.may_be_erased(key)) return std::nullopt;
    for (std::size_t i = 0; i < order.links.size(); ++i) {
      if (!order.links[i].erase) continue;
      const EntryIndex writer = order.links[i].writer;
      if (writer != kStart && entry(writer).begin_invoked > to) continue;
      if (i + 1 < order.links.size() && entry(order.links[i + 1].writer).end_completed < from) continue;
      if (only) return std::nullopt;
      only = i;
    }
    // Too old or too new, but absent it was: the oldest that is possible at all tells what is wrong.
    for (std::size_t i = order.links.size(); !only && i-- > 0;)
      if (order.links[i].erase) only = i;
    return only.value_or(order.links.size());
  }

  // One more reader, who saw everything.
  void add_after() {
    after_ = add_point(0, kNever, kStart);
    const After& after = *history_.after;
    for (const auto& [key, order] : versions_.orders()) {
      const auto content = after.content.find(key);
      const Version version = content == after.content.end() ? kAbsent : content->second.version;
      if (version != kAbsent) {
        const Writer* writer = versions_.writer_of(version);
        if (writer == nullptr || writer->key != key || writer->erase) {
          find(Anomaly::kUnknownVersion, kStart, "holds " + std::to_string(version) + " at " + name_of(key));
          continue;
        }
        if (writer->entry != kStart && entry(writer->entry).outcome == Outcome::kAborted) {
          find(Anomaly::kAbortedRead, kStart,
               "holds " + std::to_string(version) + " at " + name_of(key) + ", rolled back by " + title(writer->entry));
          continue;
        }
        if (!writer->final) {
          find(
              Anomaly::kIntermediateRead, kStart,
              "holds " + std::to_string(version) + " at " + name_of(key) + ", not the last of " + title(writer->entry));
          continue;
        }
        const std::size_t position = versions_.position(order, version);
        reads_.push_back({kStart, after_, kNoPoint, key, position, position == order.links.size() ? version : kAbsent,
                          false, beside(content->second)});
        check_list(kStart, content->second);
        if (const std::string wrong = wrong_parts(versions_, history_, content->second); !wrong.empty())
          find(Anomaly::kOrder, kStart, "holds " + std::to_string(version) + " at " + name_of(key) + ", " + wrong);
        continue;
      }
      std::size_t absences = 0, position = order.links.size();
      for (std::size_t i = 0; i < order.links.size(); ++i)
        if (order.links[i].erase) ++absences, position = i;
      if (versions_.may_be_erased(key)) continue;
      if (absences == 0) {
        find(Anomaly::kUnknownVersion, kStart, "lacks " + name_of(key) + ", which nobody erased");
      } else if (position < order.links.size() && (absences == 1 || !after.crash)) {
        reads_.push_back({kStart, after_, kNoPoint, key, position, kAbsent, false, {}});
      }
    }
    for (EntryIndex e = 0; e < placed_.size(); ++e) {
      const Point commit = placed_[e].commit;
      if (commit == kNoPoint || entry(e).outcome != Outcome::kCommitted) continue;
      if (!after.crash || entry(e).durable) edges_.push_back({commit, after_, EdgeKind::kTime});
    }
  }

  // --- edges
  Point commit_of(EntryIndex e) const { return e == kStart ? kNoPoint : placed_[e].commit; }
  void add_edge(Point from, Point to, EdgeKind kind, Key key = 0) {
    if (from != kNoPoint && to != kNoPoint && from != to) edges_.push_back({from, to, kind, key});
  }

  void add_orders() {
    for (const auto& [key, order] : versions_.orders()) {
      const auto follows = [&, k = key](EntryIndex before, EntryIndex after) {
        add_edge(commit_of(before), commit_of(after), EdgeKind::kWw, k);
        // Whoever writes what another has written begins after that one's commit.
        if (placed_[after].level == Isolation::kSnapshot && !entry(after).plain)
          add_edge(commit_of(before), placed_[after].reads, EdgeKind::kWw, k);
      };
      for (std::size_t i = 1; i < order.links.size(); ++i) follows(order.links[i - 1].writer, order.links[i].writer);
      for (const EntryIndex e : order.later)
        if (!order.links.empty()) follows(order.links.back().writer, e);
    }
  }

  void add_reads_edges() {
    // Who wrote a key after having read a version that has no place: it comes after that version.
    std::map<Version, std::vector<EntryIndex>> after_unplaced;
    for (const Read& read : reads_)
      if (read.version != kAbsent && read.reader != kStart && versions_.committed(read.reader) &&
          versions_.final_writes(read.reader).contains(read.key))
        after_unplaced[read.version].push_back(read.reader);
    // And one that has no place comes after what it has read, and after what was there when it began.
    std::map<std::pair<Key, std::size_t>, std::vector<EntryIndex>> unplaced_after;
    for (const auto& [key, order] : versions_.orders())
      for (const EntryIndex e : order.somewhere) {
        std::size_t position = 0;
        for (std::size_t i = 1; i < order.links.size(); ++i)
          if (entry(order.links[i].writer).end_completed < entry(e).begin_invoked) position = i;
        unplaced_after[{key, position}].push_back(e);
      }
    for (const Read& read : reads_) {
      if (read.version != kAbsent || read.reader == kStart) continue;
      const auto& somewhere = versions_.orders().at(read.key).somewhere;
      if (std::find(somewhere.begin(), somewhere.end(), read.reader) != somewhere.end())
        unplaced_after[{read.key, read.position}].push_back(read.reader);
    }
    for (const auto& [place, writers] : unplaced_after) {
      const EntryIndex before = versions_.orders().at(place.first).links[place.second].writer;
      for (const EntryIndex writer : writers)
        add_edge(commit_of(before), commit_of(writer), EdgeKind::kWw, place.first);
    }
    for (const Read& read : reads_) {
      const Order& order = versions_.orders().at(read.key);
      const EdgeKind kind = read.by_range ? EdgeKind::kRangeRw : EdgeKind::kRw;
      const auto before = [&](EntryIndex writer) {
        if (writer == read.reader) return;
        add_edge(read.point, commit_of(writer), kind, read.key);
        add_edge(read.holds_until, commit_of(writer), kind, read.key);
      };
      if (read.version != kAbsent) {
        add_edge(commit_of(versions_.writer_of(read.version)->entry), read.point, EdgeKind::kWr, read.key);
        for (const EntryIndex writer : after_unplaced[read.version]) before(writer);
        continue;
      }
      const EntryIndex seen = order.links[read.position].writer;
      if (seen != kStart) add_edge(commit_of(seen), read.point, EdgeKind::kWr, read.key);
      for (const EntryIndex writer : read.beside) add_edge(commit_of(writer), read.point, EdgeKind::kWr, read.key);
      if (read.position + 1 < order.links.size()) {
        before(order.links[read.position + 1].writer);
      } else {
        for (const EntryIndex writer : order.later) before(writer);
      }
      const auto unplaced = unplaced_after.find({read.key, read.position});
      if (unplaced == unplaced_after.end()) continue;
      for (const EntryIndex writer : unplaced->second)
        if (std::find(read.beside.begin(), read.beside.end(), writer) == read.beside.end()) before(writer);
    }
  }

  void add_clients() {
    Point previous = kNoPoint;
    std::uint32_t client = 0;
    for (EntryIndex e = 0; e < placed_.size(); ++e) {
      const Placed& placed = placed_[e];
      if (placed.first == kNoPoint) continue;
      if (entry(e).client != client) previous = kNoPoint;
      client = entry(e).client;
      add_edge(previous, placed.first, EdgeKind::kProcess);
      for (Point point = placed.first; point < placed.last; ++point) add_edge(point, point + 1, EdgeKind::kProcess);
      previous = placed.last;
    }
  }

  // Points of time between which calls begin: an edge from every end to every later beginning would be too many.
  void add_time() {
    std::vector<std::tuple<Moment, bool, Point>> events;  // true: a beginning
    for (Point point = 0; point < spans_.size(); ++point) {
      if (point == after_) continue;
      events.emplace_back(spans_[point].from, true, point);
      if (spans_[point].to != kNever) events.emplace_back(spans_[point].to, false, point);
    }
    std::sort(events.begin(), events.end());
    Point now = kNoPoint;
    bool fresh = false;  // nothing has begun since `now`
    for (const auto& [moment, begins, point] : events) {
      if (begins) {
        add_edge(now, point, EdgeKind::kTime);
        fresh = false;
        continue;
      }
      if (!fresh) {
        const Point next = add_point(0, kNever, kStart);
        add_edge(now, next, EdgeKind::kInside);
        now = next;
        fresh = true;
      }
      add_edge(point, now, EdgeKind::kTime);
    }
    std::vector<std::pair<Sequence, Point>> commits;
    for (EntryIndex e = 0; e < placed_.size(); ++e)
      if (entry(e).sequence != 0 && placed_[e].commit != kNoPoint)
        commits.emplace_back(entry(e).sequence, placed_[e].commit);
    std::sort(commits.begin(), commits.end());
    for (std::size_t i = 1; i < commits.size(); ++i)
      add_edge(commits[i - 1].second, commits[i].second, EdgeKind::kSequence);
  }

  // --- cycles
  static Anomaly classify(const std::vector<Edge>& cycle) {
    std::vector<Edge> edges;
    EdgeKind last = EdgeKind::kInside;
    for (const Edge& edge : cycle) {
      if (edge.kind != EdgeKind::kInside) edges.push_back(edge);
      last = std::max(last, edge.kind);
    }
    if (last == EdgeKind::kProcess) return Anomaly::kSession;
    if (last == EdgeKind::kTime) return Anomaly::kRealTime;
    if (last == EdgeKind::kSequence) return Anomaly::kSequence;
    const auto is_rw = [](const Edge& edge) { return edge.kind == EdgeKind::kRw || edge.kind == EdgeKind::kRangeRw; };
    const auto count = [&](auto matches) { return std::count_if(edges.begin(), edges.end(), matches); };
    const auto rw = count(is_rw), wr = count([](const Edge& edge) { return edge.kind == EdgeKind::kWr; });
    if (rw == 0) return wr == 0 ? Anomaly::kDirtyWrite : Anomaly::kCircularInformation;
    if (rw == 1) {
      const bool one_key = count([&](const Edge& edge) { return edge.key != edges.front().key; }) == 0;
      return wr == 0 && one_key ? Anomaly::kLostUpdate : Anomaly::kReadSkew;
    }
    for (std::size_t i = 0; i < edges.size(); ++i)
      if (is_rw(edges[i]) && is_rw(edges[(i + 1) % edges.size()]))
        return last == EdgeKind::kRangeRw ? Anomaly::kPhantomSkew : Anomaly::kWriteSkew;
    return Anomaly::kLongFork;
  }

  std::string describe(const std::vector<Edge>& cycle) const {
    constexpr const char* kWords[] = {"",
                                      "overwrote",
                                      "was read by",
                                      "missed a write of",
                                      "missed, in a range, a write of",
                                      "was followed by",
                                      "ended before",
                                      "has a lower sequence than"};
    std::string text;
    for (const Edge& edge : cycle) {
      if (edge.kind == EdgeKind::kInside) continue;
      const EntryIndex from = spans_[edge.from].entry, to = spans_[edge.to].entry;
      if (edge.kind == EdgeKind::kTime && from == kStart && edge.from != after_) {  // from a point of time
        text += title(to) + "; ";
        continue;
      }
      text += title(from) + " " + kWords[static_cast<std::size_t>(edge.kind)];
      if (edge.kind == EdgeKind::kTime && edge.to != after_) {
        text += " ";
        continue;
      }
      text += " " + title(to);
      if (edge.key != 0) text += " at " + name_of(edge.key);
      text += "; ";
    }
    return text;
  }

  const History& history_;
  std::vector<Finding> findings_;
  const Versions versions_;
  std::vector<Placed> placed_;
  std::vector<Span> spans_;  // by point
  std::vector<Read> reads_;
  std::vector<Edge> edges_;
  Point after_ = kNoPoint;
};

}  // namespace

std::vector<Finding> check(const History& history) { return Judge(history, std::nullopt).verdict(); }

std::set<Anomaly> anomalies(const History& history, Isolation level) { return Judge(history, level).anomalies(); }

}  // namespace lightning::sim::history
