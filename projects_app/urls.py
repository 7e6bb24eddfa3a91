from django.urls import path

from projects_app import views, views_words, views_yaml

app_name = "projects"
urlpatterns = [
    path("", views.settings, name="settings"),
    path("edit/", views.edit, name="edit"),
    path("members/add/", views.member_add, name="member_add"),
    path("members/<int:pk>/role/", views.member_role, name="member_role"),
    path("members/<int:pk>/remove/", views.member_remove, name="member_remove"),
    path("types/", views.types, name="types"),
    path("types/models/add/", views.model_type_add, name="model_type_add"),
    path("types/models/<int:pk>/", views_words.model_type, name="model_type"),
    path("types/models/<int:pk>/rename/", views.model_type_rename, name="model_type_rename"),
    path("types/models/<int:pk>/learn/", views_words.model_type_learn, name="model_type_learn"),
    path("types/models/<int:pk>/move/", views_words.model_type_move, name="model_type_move"),
    path("types/models/<int:pk>/delete/", views_words.model_type_delete, name="model_type_delete"),
    path("types/labels/add/", views_words.label_add, name="label_add"),
    path("types/labels/<int:pk>/", views_words.label, name="label"),
    path("types/labels/<int:pk>/edit/", views_words.label_edit, name="label_edit"),
    path("types/labels/<int:pk>/move/", views_words.label_move, name="label_move"),
    path("types/labels/<int:pk>/delete/", views_words.label_delete, name="label_delete"),
    path("types/labels/<int:pk>/categories/add/", views_words.category_add, name="category_add"),
    path("types/categories/<int:pk>/edit/", views_words.category_edit, name="category_edit"),
    path("types/categories/<int:pk>/move/", views_words.category_move, name="category_move"),
    path("types/categories/<int:pk>/delete/", views_words.category_delete, name="category_delete"),
    path("types/data/", views_words.data_categories, name="data_categories"),
    path("types/data/add/", views_words.data_category_add, name="data_category_add"),
    path("types/data/<int:pk>/edit/", views_words.data_category_edit, name="data_category_edit"),
    path("types/data/<int:pk>/move/", views_words.data_category_move, name="data_category_move"),
    path("types/data/<int:pk>/delete/", views_words.data_category_delete, name="data_category_delete"),
    path("types/yaml/", views_yaml.yaml_import, name="yaml_import"),
    path("types/yaml/export/", views_yaml.yaml_export, name="yaml_export"),
]
