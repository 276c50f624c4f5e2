from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigtask.core import events as e
from bigtask.core.edits import AddTask, DropTask, MergeTasks, ReorderTasks, SetTask
from bigtask.core.evolve import _MEANING
from bigtask.core.values import Task
from core.world import task

_JSON = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
_FIELDS = {
    "template": _JSON,
    "variables": _JSON,
    "analysis": _JSON,
    "details": _JSON,
    "data": _JSON,
    "fields": _JSON,
    "edits": st.lists(
        st.one_of(
            st.builds(AddTask, task=st.builds(Task, id=st.text(), title=st.text())),
            st.builds(DropTask, id=st.text()),
            st.builds(SetTask, id=st.text(), fields=_JSON),
            st.builds(MergeTasks, ids=st.tuples(st.text(), st.text()), task=st.just(task("m"))),
            st.builds(ReorderTasks, ids=st.tuples(st.text())),
        ),
        max_size=2,
    ).map(tuple),
}
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _value(kind: msgspec.inspect.Type) -> st.SearchStrategy:
    info = msgspec.inspect
    match kind:
        case info.StructType(cls=cls, fields=fields):
            return st.builds(
                cls, **{f.name: _FIELDS[f.name] if f.name in _FIELDS else _value(f.type) for f in fields}
            )
        case info.UnionType(types=types):
            return st.one_of([_value(each) for each in types])
        case info.VarTupleType(item_type=item):
            return st.lists(_value(item), max_size=2).map(tuple)
        case info.DictType(key_type=key, value_type=value):
            return st.dictionaries(_value(key), _value(value), max_size=2)
        case info.EnumType(cls=cls):
            return st.sampled_from(cls)
    return {
        info.StrType: st.text(max_size=10),
        info.IntType: st.integers(-(2**63), 2**63 - 1),
        info.FloatType: _FINITE,
        info.BoolType: st.booleans(),
        info.NoneType: st.none(),
    }[type(kind)]


def _event(name: str) -> st.SearchStrategy[e.Happened]:
    return _value(msgspec.inspect.type_info(e.TYPES[name]))


@pytest.mark.parametrize("name", sorted(e.TYPES))
@settings(max_examples=25)
@given(data=st.data())
def test_every_event_reads_back_from_json_as_it_was(name, data):
    event = data.draw(_event(name))
    assert e.decode(name, e.encode(event)) == event
    assert json.loads(e.encode(event)) == json.loads(msgspec.json.encode(msgspec.to_builtins(event)))


@pytest.mark.parametrize("name", sorted(e.TYPES))
@settings(max_examples=25)
@given(data=st.data())
def test_fields_of_a_newer_version_are_passed_over(name, data):
    event = data.draw(_event(name))
    newer = {**json.loads(e.encode(event)), "aFieldOfTomorrow": {"x": [1]}}
    assert e.decode(name, json.dumps(newer).encode()) == event


def test_the_events_are_those_of_the_api():
    spoken = {
        "orchestrator": "created started phaseChanged analysisComplete tasksReady planChanged confirmed "
        "progress waiting answered agentReplaced budgetWarning pausing paused merged resumed recovered "
        "commanded hook completed error cancelled",
        "worker": "spawned started progress message reported reasked checked conflict resolving settling "
        "merged completed partial failed timeout crashed lost superseded needsReview reopened retrying "
        "cancelled skipped paused resumed waiting limited held wentOn used stalled timeUp quarantined "
        "tampered",
    }
    assert set(e.TYPES) == {f"{who}:{what}" for who, words in spoken.items() for what in words.split()}


def test_every_event_but_the_first_means_something():
    assert set(_MEANING) == set(e.TYPES.values()) - {e.Created}


def test_every_edit_can_be_in_an_event():
    every = {AddTask, DropTask, SetTask, MergeTasks, ReorderTasks}
    assert set(get_args(msgspec.structs.fields(e.PlanChanged)[1].type)[:1][0].__args__) == every


def test_a_type_that_this_version_does_not_know_is_refused():
    with pytest.raises(KeyError):
        e.decode("orchestrator:teleported", b"{}")
    with pytest.raises(msgspec.DecodeError):
        e.decode("worker:completed", b'{"taskId": 1}')


def test_every_surface_shows_an_event_in_the_same_shape():
    event = e.Event(7, 1_700_000_000_123, e.WorkerCompleted(task_id="a", attempt=2))
    assert event.type == "worker:completed"
    assert event.public("run") == {
        "seq": 7,
        "type": "worker:completed",
        "orchestratorId": "run",
        "at": "2023-11-14T22:13:20.123Z",
        "data": {"taskId": "a", "attempt": 2},
    }
