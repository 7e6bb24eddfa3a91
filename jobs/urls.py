from django.urls import path

from jobs import views, views_log

app_name = "jobs"
urlpatterns = [
    path("", views.job_list, name="list"),
    path("running/", views.running, name="running"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/status/", views.status, name="status"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/front/", views.front, name="front"),
    path("<int:pk>/log/", views_log.log, name="log"),
    path("<int:pk>/log/download/", views_log.log_download, name="log_download"),
    path("<int:pk>/metrics/", views.metrics, name="metrics"),
    path("<int:pk>/metrics/<str:chart>.csv", views.metrics_csv, name="metrics_csv"),
    path("<int:pk>/scores/", views.scores, name="scores"),
]
