"""The customer's console; portal/urls_customer.py puts it below /mailboxes/."""

from django.urls import path

from mailboxes import views

app_name = "mailboxes"

urlpatterns = [
    path("", views.index, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:pk>/", views.detail, name="detail"),
]
