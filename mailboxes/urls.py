"""The customer's console; portal/urls_customer.py puts it below /mailboxes/."""

from django.urls import path

from mailboxes import views

app_name = "mailboxes"

urlpatterns = [
    path("", views.index, name="list"),
    path("new/", views.new, name="new"),
    path("jobs/<uuid:pk>/", views.job, name="job"),
    path("deleted/", views.deleted, name="deleted"),
    path("deleted/<uuid:pk>/", views.certificate, name="certificate"),
    path("deleted/<uuid:pk>/certificate.json", views.certificate_json, name="certificate_json"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/edit/", views.edit, name="edit"),
    path("<uuid:pk>/reset-password/", views.reset_password, name="reset_password"),
    path("<uuid:pk>/unlock/", views.unlock, name="unlock"),
    path("<uuid:pk>/delete-locked-mail/", views.delete_locked, name="delete_locked"),
    path("<uuid:pk>/delete/", views.delete, name="delete"),
]
