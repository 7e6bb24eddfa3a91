"""What a person sees when the portal cannot answer."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


def failing(error: Exception):
    """As if the database raised it, of everything about jobs."""

    def execute(call, sql, params, many, context):
        if "jobs_job" in sql:
            raise error
        return call(sql, params, many, context)

    return connection.execute_wrapper(execute)


def test_a_database_that_does_not_answer_is_said_in_words_and_passes(client_of, alice, project):
    client = client_of(alice, raise_request_exception=False)
    with failing(OperationalError("database is locked")):
        answer = client.get(f"/p/{project.code}/jobs/")
    text = answer.content.decode()
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "The database does not answer" in text
    assert "locked" not in text
    assert client.get(f"/p/{project.code}/jobs/").status_code == 200


def test_a_defect_is_a_defect(client_of, alice, project):
    client = client_of(alice, raise_request_exception=False)
    with failing(ValueError("a defect")):
        answer = client.get(f"/p/{project.code}/jobs/")
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()
