from django.urls import path

from models_app import views_sweeps as views

app_name = "sweeps"
urlpatterns = [
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
    path("<int:pk>/keep/", views.keep, name="keep"),
]
