from django.urls import path

from kernels_app import views, views_import

app_name = "kernels"
urlpatterns = [
    path("", views.kernel_list, name="list"),
    path("import/", views_import.import_kernel, name="import"),
    path("<int:pk>/try/", views_import.try_again, name="try_again"),
    path("<int:pk>/state/", views_import.move, name="move"),
    path("<int:pk>/model-types/", views_import.model_types, name="model_types"),
    path("<int:pk>/log/", views_import.log, name="log"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/switch/", views.switch, name="switch"),
    path("<int:pk>/schema/", views.schema, name="schema"),
]
