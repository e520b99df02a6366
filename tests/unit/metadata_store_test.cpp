// The metadata store: putting, merging, limits, and what a path shows.
#include "api/json/metadata_store.h"
#include "tests/fakes/virtio_temp_file.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace coldstart;
using Catch::Contains;

namespace {

const char* const example = R"({"latest": {"meta-data": {"ami-id": "ami-1", "empty": "",
    "local": {"a": "b"}, "count": 3, "yes": true, "none": null, "list": ["x", {"y": "z"}],
    "sl/ash~": "odd"}, "nothing": {}}})";

std::string text(const MetadataStore& store, std::string_view path) {
    const MetadataAnswer answer = store.lookup(path, false);
    CHECK_FALSE(answer.is_json);
    if (answer.status == MetadataStatus::found)
        return answer.body;
    return answer.status == MetadataStatus::not_found ? "NOT FOUND" : "NOT SUPPORTED";
}

std::string json(const MetadataStore& store, std::string_view path) {
    const MetadataAnswer answer = store.lookup(path, true);
    CHECK(answer.is_json == (answer.status == MetadataStatus::found));
    return answer.status == MetadataStatus::found ? answer.body : "NOT FOUND";
}

} // namespace

TEST_CASE("the metadata store has nothing at first", "[metadata]") {
    MetadataStore store;
    CHECK(store.json() == "{}");
    CHECK(text(store, "/") == "NOT SUPPORTED");
    CHECK(json(store, "/") == "null");
    CHECK(text(store, "/latest") == "NOT FOUND");
    CHECK_THROWS_WITH(store.patch("{}"), Contains("not initialized"));
    store.put("{}");
    CHECK_NOTHROW(store.patch("{}"));
    CHECK(text(store, "/").empty());
}

TEST_CASE("metadata as text", "[metadata]") {
    MetadataStore store;
    store.put(example);
    CHECK(text(store, "/") == "latest/");
    CHECK(text(store, "/latest") == "meta-data/\nnothing/");
    CHECK(text(store, "/latest/") == "meta-data/\nnothing/");
    CHECK(text(store, "/latest/meta-data") ==
          "ami-id\ncount\nempty\nlist\nlocal/\nnone\nsl/ash~\nyes");
    CHECK(text(store, "/latest/meta-data/ami-id") == "ami-1");
    CHECK(text(store, "/latest/meta-data/ami-id/") == "ami-1");
    CHECK(text(store, "/latest/meta-data/empty").empty());
    CHECK(text(store, "/latest/meta-data/sl~1ash~0") == "odd");
    CHECK(text(store, "/latest/meta-data/list/0") == "x");
    CHECK(text(store, "/latest/meta-data/list/1/y") == "z");
    CHECK(text(store, "/latest/nothing").empty());
    for (const char* path : {"count", "yes", "none", "list"})
        CHECK(text(store, "/latest/meta-data/" + std::string(path)) == "NOT SUPPORTED");
    for (const char* path :
         {"/nobody", "/latest/meta-data/ami-id/more", "/Latest", "/latest/meta-data/list/2",
          "/latest/meta-data/list/00", "/latest/meta-data/list/+0", "/latest/meta-data/list/",
          "/latest/meta-data/list/99999999999999999999"}) {
        INFO(path);
        CHECK((text(store, path) == "NOT FOUND") == (std::string(path).back() != '/'));
    }
}

TEST_CASE("metadata as JSON", "[metadata]") {
    MetadataStore store;
    store.put(example);
    CHECK(json(store, "/latest/meta-data/local") == R"({"a":"b"})");
    CHECK(json(store, "/latest/meta-data/ami-id") == R"("ami-1")");
    CHECK(json(store, "/latest/meta-data/count") == "3");
    CHECK(json(store, "/latest/meta-data/list") == R"(["x",{"y":"z"}])");
    CHECK(json(store, "/nobody") == "NOT FOUND");
}

TEST_CASE("a patch merges as RFC 7396 says", "[metadata]") {
    MetadataStore store;
    store.put(R"({"name":{"first":"John","second":"Doe"},"age":"43","tags":["a","b"]})");
    store.patch(R"({"name":{"second":null,"last":"K"},"age":{"y":null,"x":1},"tags":["c"],"n":2})");
    CHECK(store.json() ==
          R"({"age":{"x":1},"n":2,"name":{"first":"John","last":"K"},"tags":["c"]})");
    store.patch("7");
    CHECK(store.json() == "7");
    store.put(R"(["any","JSON"])");
    CHECK(store.json() == R"(["any","JSON"])");
}

TEST_CASE("what is refused leaves the store as it was", "[metadata]") {
    MetadataStore store(20);
    store.put(R"({ "a" : "12345678901" })"); // white space does not count: 19 bytes
    CHECK_NOTHROW(store.put(R"({"a":"123456789012"})"));
    CHECK_THROWS_AS(store.put(R"({"a":"1234567890123"})"), MetadataTooLarge);
    CHECK_THROWS_AS(store.patch(R"({"b":1})"), MetadataTooLarge);
    CHECK_THROWS_AS(store.put("{"), Error);
    CHECK_THROWS_AS(store.put(""), Error);
    CHECK_THROWS_AS(store.put("{} {}"), Error);
    CHECK_THROWS_AS(store.patch("\"\xff\""), Error);
    CHECK_THROWS_WITH(store.put("nonsense"), Contains("not valid JSON"));
    CHECK(store.json() == R"({"a":"123456789012"})");
    store.patch(R"({"a":null,"b":1})");
    CHECK(store.json() == R"({"b":1})");
}

TEST_CASE("metadata nested too deep is refused", "[metadata]") {
    MetadataStore store(1 << 20);
    const auto nested = [](unsigned depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK_NOTHROW(store.put(nested(127)));
    CHECK_THROWS_WITH(store.put(nested(128)), Contains("deeper than 127"));
    CHECK_THROWS_WITH(store.put(nested(400000)), Contains("deeper than 127"));
    std::string object = "1";
    for (int i = 0; i < 128; ++i)
        object = "{\"a\":" + object + "}";
    CHECK_THROWS_WITH(store.patch(object), Contains("deeper than 127"));
    CHECK(store.json() == nested(127));
}

TEST_CASE("metadata comes from a file", "[metadata]") {
    MetadataStore store;
    const fakes::TempFile file(0);
    file.write(0, "{\"a\": \"b\"}\n");
    put_metadata_file(store, file.path());
    CHECK(store.json() == R"({"a":"b"})");
    file.write(0, "nonsense!!!!");
    CHECK_THROWS_WITH(put_metadata_file(store, file.path()),
                      Contains(file.path()) && Contains("not valid JSON"));
    CHECK_THROWS_WITH(put_metadata_file(store, "/nonexistent/file"), Contains("/nonexistent/file"));
}

TEST_CASE("a guest sees the old document or the new one, never a mixture", "[metadata]") {
    MetadataStore store;
    store.put(R"({"a":"1","b":"1"})");
    std::atomic<bool> end = false;
    std::thread writer([&] {
        for (int i = 0; !end; ++i)
            store.patch(i % 2 == 0 ? R"({"a":"2","b":"2"})" : R"({"a":"1","b":"1"})");
    });
    unsigned mixed = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string seen = json(store, "/");
        mixed += seen == R"({"a":"1","b":"1"})" || seen == R"({"a":"2","b":"2"})" ? 0 : 1;
    }
    end = true;
    writer.join();
    CHECK(mixed == 0);
}
