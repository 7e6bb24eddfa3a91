from django.urls import path

from kernels_app import views

app_name = "kernels"
urlpatterns = [
    path("", views.kernel_list, name="list"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/switch/", views.switch, name="switch"),
    path("<int:pk>/schema/", views.schema, name="schema"),
]
