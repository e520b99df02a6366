// Apart from compare.cpp because the JSON library is slow to compile.
#include "api/json/json_reader.h"
#include "vmm/cli/bench/compare.h"

namespace coldstart {
namespace {

std::string_view change_name(Change change) {
    switch (change) {
    case Change::quicker:
        return "quicker";
    case Change::slower:
        return "slower";
    case Change::perhaps_quicker:
        return "perhaps-quicker";
    case Change::perhaps_slower:
        return "perhaps-slower";
    case Change::too_few:
        return "too-few-runs";
    case Change::only_in_one:
        return "only-in-one";
    case Change::none:
        break;
    }
    return "none";
}

} // namespace

std::string comparison_json(const BootReport& before, const BootReport& after) {
    Json json{{"format", "coldstart-bench-comparison"},
              {"version", 1},
              {"significance", significance},
              {"conditions", differing_conditions(before, after)},
              {"series", Json::array()}};
    for (const SeriesChange& series : compare_reports(before, after)) {
        Json entry{{"name", series.name},
                   {"change", change_name(series.change)},
                   {"p", series.probability}};
        if (series.before.count != 0)
            entry["before_median_ms"] = series.before.median;
        if (series.after.count != 0)
            entry["after_median_ms"] = series.after.median;
        json["series"].push_back(std::move(entry));
    }
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace coldstart
