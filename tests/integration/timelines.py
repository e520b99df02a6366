"""Reading the files of --timeline."""

import json

from harness import expect


def read_timeline(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def event_names(timeline):
    return [event["event"] for event in timeline["events"]]


def check_timeline(path, phases, order, boot):
    """What holds for every timeline, its phases, and that the events of `order` come in that order."""
    timeline = read_timeline(path)
    expect(timeline["format"] == "coldstart-timeline" and timeline["version"] == 1, "what is this?")
    expect(timeline["machine"]["boot"] == boot, f"entered by {timeline['machine']['boot']}")
    times = [event["t_ns"] for event in timeline["events"]]
    expect(times == sorted(times) and times[0] == 0, "not in the order of time")
    expect([phase["name"] for phase in timeline["phases"]] == phases, f"{timeline['phases']}")
    edges = [phase["start_ns"] for phase in timeline["phases"]] + [timeline["end"]["t_ns"]]
    ends = [0] + [phase["end_ns"] for phase in timeline["phases"]]
    expect(edges == ends, f"gaps between the phases: {timeline['phases']}")
    left = iter(event_names(timeline))
    for name in order:
        expect(name in left, f"no {name} in its place: {event_names(timeline)}")
    return timeline
