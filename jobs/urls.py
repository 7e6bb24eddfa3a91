from django.urls import path

from jobs import views, views_log, views_notices

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
    path("notifications/", views_notices.notices_page, name="notices"),
    path("notifications/add/", views_notices.notice_add, name="notice_add"),
    path("notifications/email/", views_notices.notice_email, name="notice_email"),
    path("notifications/<int:pk>/change/", views_notices.notice_change, name="notice_change"),
    path("notifications/<int:pk>/remove/", views_notices.notice_remove, name="notice_remove"),
    path("notifications/<int:pk>/secret/", views_notices.notice_secret, name="notice_secret"),
    path("notifications/<int:pk>/test/", views_notices.notice_test, name="notice_test"),
]
