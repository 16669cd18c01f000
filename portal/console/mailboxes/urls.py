"""The customer's console; portal/urls/customer.py puts it below /mailboxes/."""

from django.urls import path

from portal.console.mailboxes import creating, deleting, deliveries, editing, jobs, overview, passwords

app_name = "mailboxes"

urlpatterns = [
    path("", overview.index, name="list"),
    path("new/", creating.new, name="new"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("deleted/", deleting.deleted, name="deleted"),
    path("deleted/<uuid:pk>/", deleting.certificate, name="certificate"),
    path("deleted/<uuid:pk>/certificate.json", deleting.certificate_json, name="certificate_json"),
    path("<uuid:pk>/", overview.detail, name="detail"),
    path("<uuid:pk>/deliveries/", deliveries.deliveries, name="deliveries"),
    path("<uuid:pk>/edit/", editing.edit, name="edit"),
    path("<uuid:pk>/reset-password/", passwords.reset_password, name="reset_password"),
    path("<uuid:pk>/unlock/", passwords.unlock, name="unlock"),
    path("<uuid:pk>/delete-locked-mail/", deleting.delete_locked, name="delete_locked"),
    path("<uuid:pk>/delete/", deleting.delete, name="delete"),
]
