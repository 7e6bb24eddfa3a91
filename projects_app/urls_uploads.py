"""Uploads in pieces, below /p/<project>/uploads/."""

from django.urls import path

from projects_app import views_uploads

app_name = "uploads"
urlpatterns = [
    path("", views_uploads.create, name="create"),
    path("<uuid:pk>/", views_uploads.one, name="one"),
]
