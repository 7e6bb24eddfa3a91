"""Pages of datasets, below /p/<project>/datasets/."""

from django.urls import path

from datasets_app import views, views_export, views_files, views_import, views_review

app_name = "datasets"
urlpatterns = [
    path("", views.dataset_list, name="list"),
    path("import/", views_import.upload, name="import"),
    path("import/<uuid:pk>/", views_import.preview, name="preview"),
    path("import/<uuid:pk>/revise/", views_import.revise, name="revise"),
    path("import/<uuid:pk>/discard/", views_import.discard, name="discard"),
    path("import/<uuid:pk>/images/<int:number>/", views_files.preview_image, name="preview_image"),
    path("files/<int:image>/", views_files.original, name="file"),
    path("thumbs/<int:image>/", views_files.thumbnail, name="thumb"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/export/", views_export.export, name="export"),
    path("<int:pk>/export/<int:job>.zip", views_export.download, name="export_download"),
    path("<int:pk>/images/<int:image>/", views.image_page, name="image"),
    path("<int:pk>/review/", views_review.review, name="review"),
    path("<int:pk>/review/undo/", views_review.undo, name="review_undo"),
    path("<int:pk>/review/<int:image>/", views_review.decide, name="review_decide"),
]
