"""The operators' host, as far as this room serves it."""

from django.urls import path

from tenants import views

urlpatterns = [
    path("", views.home, name="home"),
    path("customers/", views.customers, name="customers"),
]
