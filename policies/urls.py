from django.urls import path

from policies.views import (
    arrive,
    builder,
    create,
    editor,
    history,
    others,
    paste,
    policies,
    publish,
    traffic,
    trial,
    vocabulary,
)

app_name = "policies"

urlpatterns = [
    path("", policies.index, name="list"),
    path("new/", create.create, name="create"),
    path("arrive/", arrive.arrive, name="arrive"),
    path("<str:policy_id>/", editor.editor, name="editor"),
    path("<str:policy_id>/builder/", builder.builder, name="builder"),
    path("<str:policy_id>/rewrite/", builder.rewrite, name="rewrite"),
    path("<str:policy_id>/try/", trial.try_call, name="try"),
    path("<str:policy_id>/tests/keep/", trial.keep, name="keep-test"),
    path("<str:policy_id>/tests/expect/", trial.expect, name="expect"),
    path("<str:policy_id>/tests/drop/", trial.drop, name="drop-test"),
    path("<str:policy_id>/vocabulary/", vocabulary.vocabulary, name="vocabulary"),
    path("<str:policy_id>/live/", others.live, name="others"),
    path("<str:policy_id>/difference/", others.difference, name="difference"),
    path("<str:policy_id>/check/", editor.check, name="check"),
    path("<str:policy_id>/save/", editor.save, name="save"),
    path("<str:policy_id>/paste/", paste.paste, name="paste"),
    path("<str:policy_id>/discard/", editor.discard, name="discard"),
    path("<str:policy_id>/review/", publish.review, name="review"),
    path("<str:policy_id>/review/traffic/", traffic.traffic, name="traffic"),
    path("<str:policy_id>/publish/", publish.publish, name="publish"),
    path("<str:policy_id>/revisions/", history.index, name="history"),
    path("<str:policy_id>/revisions/compare/", history.compare, name="compare"),
    path("<str:policy_id>/revisions/<int:number>/", history.revision, name="revision"),
    path("<str:policy_id>/revisions/<int:number>/restore/", history.restore, name="restore"),
    path("<str:policy_id>/revisions/<int:number>/live/", publish.live, name="live"),
    path("<str:policy_id>/revisions/<int:number>/rollout/", publish.rollout, name="rollout"),
]
