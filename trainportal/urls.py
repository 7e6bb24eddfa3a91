"""Every address of the portal."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from trainportal import views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.health, name="health"),
    path("help/", views.help_page, name="help"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", auth.PasswordChangeView.as_view(success_url="/"), name="password_change"),
    path("language/", views.set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("p/<str:project>/models/", include("models_app.urls_models")),
    path("p/<str:project>/sweeps/", include("models_app.urls_sweeps")),
    path("p/<str:project>/validations/", include("models_app.urls_validations")),
    path("p/<str:project>/datasets/", include("datasets_app.urls")),
    path("p/<str:project>/kernels/", include("kernels_app.urls")),
    path("p/<str:project>/jobs/", include("jobs.urls")),
    path("p/<str:project>/uploads/", include("projects_app.urls_uploads")),
    path("p/<str:project>/settings/", include("projects_app.urls")),
]
handler400 = "trainportal.views.bad_request"
handler500 = "trainportal.views.server_error"
